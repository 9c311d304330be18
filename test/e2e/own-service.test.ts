import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as z from 'zod'
import { portOf } from '../../src/kit/http/port-of.ts'
import { UP_ROLE_NAMES } from '../../src/roles/catalog.ts'
import { type Started, start } from './command-line.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-own-service-'))
const config = join(folder, 'production.yaml')
const SHOP_ROUTE = '{ prefix: /shop, upstream: shop-service, methods: { GET: public } }'
writeFileSync(
  config,
  `auth: { mode: token, hosts: [127.0.0.1] }
${UP_ROLE_NAMES.filter((role) => role !== 'gateway')
  .map((role) => `${role}: { port: 0 }\n`)
  .join('')}
gateway: { port: 0, routes: { shop: ${SHOP_ROUTE} } }
`,
)

/** The service: a program in any language, with nothing but its token. */
const shop = createServer((incoming, outgoing) => outgoing.end(`shop ${incoming.url}`))

let up: Started
const urls = new Map<string, string>()
beforeAll(async () => {
  await new Promise<void>((resolve) => shop.listen(0, '127.0.0.1', resolve))
  up = start(folder, 'up', '--in-process', '--config', config, '--json', '--quiet')
  for (const { role, url } of JSON.parse(await up.line).roles) urls.set(role, url)
})
afterAll(async () => {
  await up?.stop()
  shop.closeAllConnections()
  shop.close()
  rmSync(folder, { recursive: true, force: true })
})

/** What `msvc token` prints. */
const mint = async (...args: readonly string[]) => (await start(folder, 'token', ...args).ended).out.trimEnd()

/** Asks a role in a token's name: its status, and the JSON of its answer. */
async function ask(token: string, role: string, target: string, body?: unknown) {
  const [method = '', path = ''] = target.split(' ')
  const answer = await fetch(new URL(path, urls.get(role)), {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  return { status: answer.status, json: z.looseObject({}).safeParse(text.startsWith('{') ? JSON.parse(text) : {}).data }
}

async function renew(token: string) {
  const form = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    subject_token: token,
  })
  const answer = await fetch(new URL('/oauth/token', urls.get('gateway')), { method: 'POST', body: form })
  expect(answer.status).toBe(200)
  return z.object({ access_token: z.string(), expires_in: z.literal(600) }).parse(await answer.json()).access_token
}

const instance = (service_name: string) => ({ service_name, host: '127.0.0.1', port: portOf(shop) })

describe('a service that isn’t ours, in token mode', () => {
  it('registers, is reached, publishes, consumes, logs, and goes on with a renewed token', async () => {
    const first = await mint('--service', 'shop-service', '--scope', 'users:read', '--ttl', '600')
    const work = async (token: string) => {
      const got = async (role: string, target: string, body?: unknown) => (await ask(token, role, target, body)).status
      const me = instance('shop-service')
      expect(await got('registry', 'POST /registry/register', me)).toBe(201)
      expect(await got('registry', 'POST /registry/heartbeat', me)).toBe(200)
      expect(await got('registry', 'POST /registry/unhealthy', me)).toBe(200)
      expect(await got('registry', 'POST /registry/heartbeat', me)).toBe(200)
      expect(await got('registry', 'GET /registry/discover/shop-service')).toBe(200)
      expect(await got('config-server', 'GET /config/shop-service/development')).toBe(200)
      expect(await got('user', 'GET /api/users')).toBe(200)
      const entry = { service: 'shop-service', instance: 'shop-1', level: 'INFO', message: 'open' }
      expect(await got('log-server', 'POST /logs', { ...entry, timestamp: new Date().toISOString() })).toBe(202)

      const made = await ask(token, 'broker', 'POST /broker/subscriptions', { topic: 'shop.*', group: 'shop-service' })
      expect(made.status).toBe(201)
      expect(await got('broker', 'POST /broker/publish/shop.opened', { by: token.length })).toBe(202)
      const subscription = `/broker/subscriptions/${made.json?.id}`
      const pulled = await ask(token, 'broker', `POST ${subscription}/pull?wait=5`)
      const { messages } = z.object({ messages: z.array(z.object({ ack: z.string() })).length(1) }).parse(pulled.json)
      expect(await got('broker', `POST ${subscription}/ack`, { acks: messages.map(({ ack }) => ack) })).toBe(200)
    }
    await work(first)
    const reached = async () => (await fetch(new URL('/shop/hello', urls.get('gateway')))).text()
    await expect.poll(reached, { interval: 20 }).toBe('shop /shop/hello')

    const second = await renew(first)
    expect(second).not.toBe(first)
    await work(second)
    const third = await renew(second)
    expect((await ask(third, 'registry', 'POST /registry/deregister', instance('shop-service'))).status).toBe(200)
  })

  it('gets no further than a service may', async () => {
    const token = await renew(await mint('--service', 'shop-service', '--ttl', '600'))
    const other = {
      service_name: 'order-service',
      host: '127.0.0.1',
      port: Number(new URL(urls.get('order') ?? '').port),
    }
    const refused = [
      ['registry', 'POST /registry/register', instance('order-service')],
      ['registry', 'POST /registry/heartbeat', other],
      ['registry', 'POST /registry/unhealthy', other],
      ['registry', 'POST /registry/drain', other],
      ['registry', 'POST /registry/deregister', other],
      ['log-server', 'GET /logs?service=user-service'],
      ['log-server', 'GET /logs/tail'],
      ['log-server', 'GET /traces'],
      ['config-server', 'PUT /config/shop-service/development/k', 1],
      ['config-server', 'PUT /config/order-service/development/k', 1],
      ['user', 'GET /api/users'],
      ['user', 'DELETE /api/users/1'],
      ['order', 'GET /api/orders'],
      ['payment', 'GET /api/payments'],
      ['broker', 'POST /broker/dead-letters/redrive', {}],
      ['registry', 'GET /metrics'],
    ] as const
    for (const [role, target, body] of refused) {
      expect([role, target, (await ask(token, role, target, body)).status]).toEqual([role, target, 403])
    }
  })

  it('is no person of its name, nor anything else that its name begins', async () => {
    const person = await mint('--subject', 'shop-service', '--audience', 'registry', '--scope', 'registry:write')
    const shopper = await mint('--service', 'shop')
    for (const token of [person, shopper]) {
      const answer = await ask(token, 'registry', 'POST /registry/register', instance('shop-service'))
      expect([answer.status, answer.json?.detail]).toEqual([403, expect.stringContaining("not shop-service's")])
    }
  })
})
