import { describe, expect, it } from 'vitest'
import { firstRequest } from './first-request.ts'
import { readyText } from './ready-text.ts'

describe('readyText', () => {
  const auth = { mode: 'local' as const, issuer: 'msvc', hosts: [], origins: [] }
  const role = {
    unit: 'gateway',
    service: 'api-gateway',
    url: 'http://127.0.0.1:65535',
    state: 'ready' as const,
    pid: 4_194_304,
  }

  const all = new Map(['user-service', 'order-service', 'shop-service'].map((name) => [name, undefined]))

  it('has lines that can be copied at 80 columns', () => {
    const request = firstRequest({ host: '127.0.0.1', port: 0 }, { auth }, role.url, all)
    const lines = readyText({
      rows: [role],
      token: 'x',
      seed: '4194304',
      ...(request && { request }),
    }).split('\n')
    expect(lines.filter((line) => line.length > 80)).toEqual([])
    const command = lines.slice(lines.findIndex((line) => line.startsWith('curl')))
    expect(command.join('\n').trimEnd()).toMatch(/^curl .* \\\n-H .* \\\n-d '\{.*\}'$/)
  })

  it('asks for what is routed, where and by a name by which it can be had', () => {
    const shop = { prefix: '/shop', upstream: 'shop-service', methods: { POST: ['shop:write'] } }
    const section = { host: '0.0.0.0', port: 8_000, routes: { users: null, orders: null, shop } }
    const own = { ...auth, mode: 'token' as const, hosts: ['api.example.com'] }
    const request = firstRequest(section, { auth: own }, 'http://0.0.0.0:8000', all)
    expect(request?.scopes).toEqual(['shop:write'])
    const text = readyText({ rows: [role], token: 'x', seed: '1', ...(request && { request }) })
    expect(text).toContain(`
curl -i -X POST http://127.0.0.1:8000/shop \\
-H 'Host: api.example.com' \\
-H "Authorization: Bearer $TOKEN"
`)
    const first = (routes: object) => firstRequest({ ...section, routes }, { auth }, 'http://0.0.0.0:1', all)
    const reading = { ...shop, methods: { ...shop.methods, GET: 'public' } }
    const users = { method: 'POST', url: 'http://127.0.0.1:1/gateway/api/users' }
    const orders = { method: 'GET', url: 'http://127.0.0.1:1/gateway/api/orders' }
    expect(first({ shop })).toMatchObject(users)
    expect(first({ shop, users: { strip_prefix: '' } })).toMatchObject({ ...users, method: 'GET', makesUser: false })
    expect(first({ shop, users: null })).toMatchObject(orders)
    expect(first({ users: null, orders: null, shop: reading })).toMatchObject({
      method: 'GET',
      url: 'http://127.0.0.1:1/shop',
    })
    expect(first({ users: null, orders: null })).toBeUndefined()
  })

  it('asks only what runs, at a path where it answers', () => {
    const methods = { GET: 'public', POST: ['shop:buy'] }
    const shop = { prefix: '/shop', strip_prefix: '/shop', upstream: 'front', methods }
    const first = (route: object, path?: string) => {
      const section = { host: '127.0.0.1', port: 1, routes: { shop: { ...shop, ...route } } }
      return firstRequest(section, { auth }, 'http://127.0.0.1:1', new Map([['front', path]]))
    }
    const wanted = { method: 'GET', url: 'http://127.0.0.1:1/shop', scopes: ['shop:buy'], makesUser: false }
    expect(first({})).toEqual(wanted)
    expect(first({}, '/health')).toEqual({ ...wanted, url: 'http://127.0.0.1:1/shop/health' })
    expect(first({ strip_prefix: '' }, '/shop/health')).toEqual({ ...wanted, url: 'http://127.0.0.1:1/shop/health' })
    expect(first({ strip_prefix: '' }, '/health')).toEqual(wanted)
    expect(first({ methods: { POST: ['shop:buy'] } }, '/health')).toEqual({ ...wanted, method: 'POST' })
    expect(first({ upstream: 'elsewhere' })).toBeUndefined()
  })

  it('says how those are that are not ready, within the width', () => {
    const shop = { unit: 'shop-2', service: 'shop', state: 'failed' as const, words: 'failed: exit code 1' }
    const migrate = { unit: 'migrate', state: 'finished' as const, words: 'done' }
    expect(readyText({ rows: [role, shop, migrate], seed: '1' })).toBe(`
UNIT     SERVICE      ADDRESS                 STATE
gateway  api-gateway  http://127.0.0.1:65535  ready
shop-2   shop         -                       failed: exit code 1
migrate  -            -                       done
`)
    expect(readyText({ rows: [role, shop], seed: '1', width: 59 })).toContain('failed: exit…\n')
  })

  it('has no request to copy without a gateway', () => {
    expect(readyText({ rows: [], seed: '1' })).not.toContain('curl')
  })
})
