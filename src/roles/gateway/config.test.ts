import { describe, expect, it } from 'vitest'
import { GatewayConfig, routesOf } from './config.ts'

const fault = (config: unknown) => {
  const { success, error } = GatewayConfig.safeParse(config)
  return success ? 'none' : error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')
}
const route = (changes: object) => ({
  routes: { a: { prefix: '/a', upstream: 'a-service', methods: { GET: 'public' }, ...changes } },
})
const routed = (routes: object) =>
  routesOf(GatewayConfig.parse({ routes })).map(({ prefix, upstream }) => `${prefix} ${upstream}`)
const USERS = '/gateway/api/users user-service'
const ORDERS = '/gateway/api/orders order-service'

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

  it('keeps the built-in routes beside one that is added', () => {
    expect(routed(route({}).routes)).toEqual([USERS, ORDERS, '/a a-service'])
  })

  it('takes out a route that is null, for good', () => {
    expect(routed({ users: null })).toEqual([ORDERS])
    expect(routed({ users: null, orders: null })).toEqual([])
    const config = GatewayConfig.parse({ routes: { users: null } })
    expect(GatewayConfig.parse(config)).toEqual(config)
  })

  it('leaves a built-in route what is not said of it', () => {
    const [users] = routesOf(
      GatewayConfig.parse({ routes: { users: { upstream: 'people', methods: { GET: 'token' } } } }),
    )
    expect(users).toMatchObject({ prefix: '/gateway/api/users', strip_prefix: '/gateway', upstream: 'people' })
    expect(users?.methods).toEqual({ GET: 'token' })
  })

  it('refuses two routes that take the same requests, naming both, and no others', () => {
    const own = { prefix: '/gateway/api/users', upstream: 'people', methods: { OPTIONS: 'token', POST: 'token' } }
    expect(fault({ routes: { own } })).toBe(
      'routes.own: own and users both take POST /gateway/api/users; give one of them another prefix or other methods, or make one null',
    )
    expect(fault({ routes: { own, users: null } })).toBe('none')
    expect(fault({ routes: { own, users: { methods: { GET: 'public' } } } })).toBe('none')
    expect(fault({ routes: { own: { ...own, prefix: '/gateway/api/users/new' } } })).toBe('none')
  })

  it('refuses them however their prefixes are spelt, and a path that the gateway answers itself', () => {
    const own = { prefix: '/gateway/api/%75sers', upstream: 'people', methods: { GET: 'token' } }
    expect(fault({ routes: { own } })).toContain('own and users both take GET /gateway/api/users')
    for (const prefix of ['/health', '/readyz', '/m%65trics'])
      expect(fault({ routes: { own: { ...own, prefix } } })).toContain(`${prefix} is the gateway's own`)
    for (const prefix of ['/oauth/token', '/oauth/revoke', '/gateway/api/users/7/orders'])
      expect(fault({ routes: { own: { ...own, prefix } } })).toContain(`${prefix} is the gateway's own`)
    expect(fault({ routes: { own: { ...own, prefix: '/health/shop' } } })).toBe('none')
  })

  it('refuses to take out what was never in', () => {
    expect(fault({ routes: { order: null } })).toContain('none is called that; did you mean orders?')
    expect(fault({ routes: { shop: null } })).toContain('none is called that')
    expect(fault({ routes: { orders: null } })).toBe('none')
  })

  it('lets a route differ', () => {
    const config = GatewayConfig.parse({
      ...route({ body_limit: 5, write_limit: null, deadline_ms: 9 }),
      body_limit: 7,
    })
    expect(routesOf(config)[2]).toMatchObject({
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
    [{ routes: null }],
    [{ routes: { a: {} } }],
    [{ routes: { users: { prefix: '/people' } } }],
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
