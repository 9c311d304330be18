import { describe, expect, it } from 'vitest'
import { GatewayConfig, routesOf } from './config.ts'

const fault = (config: unknown) => {
  const { success, error } = GatewayConfig.safeParse(config)
  return success ? 'none' : error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')
}
const route = (changes: object) => ({
  routes: [{ prefix: '/a', upstream: 'a-service', methods: { GET: 'public' }, ...changes }],
})

describe('GatewayConfig', () => {
  it("has the seed's routes, and means the same when it is read again", () => {
    const config = GatewayConfig.parse({})
    expect(GatewayConfig.parse(config)).toEqual(config)
    const routes = routesOf(config)
    expect(routes.map(({ prefix, upstream }) => [prefix, upstream])).toEqual([
      ['/gateway/api/users', 'user-service'],
      ['/gateway/api/orders', 'order-service'],
    ])
    expect(routes[0]).toMatchObject({
      strip_prefix: '/gateway',
      methods: { GET: 'public', HEAD: 'public', POST: ['users:write'], DELETE: ['users:write'] },
      deadline_ms: 15_000,
      upstream_timeout_ms: 5_000,
      body_limit: 1_048_576,
      write_limit: { per_second: 5_000, burst: 10_000 },
      read_limit: undefined,
    })
    expect(Object.values(routes[1]?.methods ?? {})).not.toContain('public')
  })

  it('lets a route differ', () => {
    const config = GatewayConfig.parse({
      ...route({ body_limit: 5, write_limit: null, deadline_ms: 9 }),
      body_limit: 7,
    })
    expect(routesOf(config)[0]).toMatchObject({
      body_limit: 5,
      write_limit: undefined,
      deadline_ms: 9,
      upstream_timeout_ms: 5_000,
    })
  })

  it.each([
    [route({ prefix: 'a' })],
    [route({ prefix: '/a/' })],
    [route({ prefix: '/a/*', extra: 1 })],
    [route({ prefix: '//a' })],
    [route({ prefix: '/a/../b' })],
    [route({ prefix: '/a?b' })],
    [route({ prefix: '/ab', strip_prefix: '/a' })],
    [route({ upstream: 'http://127.0.0.1:8001' })],
    [route({ methods: { TRACE: 'public' } })],
    [route({ methods: { GET: 'open' } })],
    [route({ methods: { GET: [] } })],
    [route({ write_limit: { per_second: 0, burst: 1 } })],
    [{ routes: [...route({}).routes, ...route({}).routes] }],
    [{ cors: { origins: ['*'] } }],
    [{ cors: { origins: ['https://a.example/'] } }],
    [{ cors: { origins: ['null'] } }],
    [{ deadline_ms: 0 }],
    [{ pool: { max_connections: 0 } }],
    [{ pool: { upload_share: 0 } }],
    [{ pool: { caller_share: 1.5 } }],
    [{ strip_headers: ['*'] }],
    [{ strip_headers: ['X Shop'] }],
    [{ strip_headers: ['X-*-Shop'] }],
    [{ strip_headers: 'X-Shop' }],
    [{ trusted_proxies: ['10.0.0.0/33'] }],
    [{ trusted_proxies: ['0.0.0.0/0'] }],
    [{ trusted_proxies: ['proxy.example'] }],
    [{ trusted_proxies: [10] }],
  ])('refuses %j', (config) => {
    expect(fault(config)).not.toBe('none')
  })

  it('takes headers to strip and proxies to trust', () => {
    const config = {
      strip_headers: ['X-Shop', 'x_cart-*'],
      trusted_proxies: ['10.0.0.5', '10.1.0.0/16', '::1', 'fd00::/8'],
    }
    expect(GatewayConfig.parse(config)).toMatchObject(config)
    expect(fault({ trusted_proxies: ['::1', '10.0.0/8'] })).toMatch(
      /^trusted_proxies\.1: expected an address such as .*10\.0\.0\/8/,
    )
  })

  it('takes a list of scopes', () => {
    expect(fault(route({ methods: { POST: ['a:write', 'b:write'] } }))).toBe('none')
  })
})
