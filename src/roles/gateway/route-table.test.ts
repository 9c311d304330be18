import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HTTP_METHODS } from '../../kit/http/methods.ts'
import { type Route, routeTable, upstreamTarget } from './route-table.ts'

const route = (prefix: string, changes: Partial<Route> = {}): Route => ({
  name: prefix,
  prefix,
  upstream: `${prefix}-service`,
  strip_prefix: '',
  methods: { GET: 'public', POST: ['things:write'] },
  deadline_ms: 15_000,
  upstream_timeout_ms: 5_000,
  body_limit: 1_048_576,
  ...changes,
})

const table = routeTable([route('/api/users'), route('/api/users/admin'), route('/api/orders'), route('/api')])
const prefixOf = (path: string, asked = table) => {
  const match = asked.match('GET', path)
  return match.at === 'route' ? match.route.prefix : undefined
}

describe('routeTable', () => {
  it.each([
    ['/api/users', '/api/users'],
    ['/api/users/', '/api/users'],
    ['/api/users/1', '/api/users'],
    ['/api/users/admin', '/api/users/admin'],
    ['/api/users/admin/1', '/api/users/admin'],
    ['/api/users/administrator', '/api/users'],
    ['/api/usersx', '/api'],
    ['/api/orders/1', '/api/orders'],
    ['/api/Users', '/api'],
    ['/API/users', undefined],
    ['/apis', undefined],
    ['/', undefined],
    ['', undefined],
  ])('%s belongs to %s', (path, prefix) => {
    expect(prefixOf(path)).toBe(prefix)
  })

  it('takes a prefix for what it means, however it is spelt', () => {
    const spelt = routeTable([route('/api'), route('/api/%61dmin'), route('/caf%C3%A9')])
    expect(['/api/admin', '/api/admin/1', '/café'].map((path) => prefixOf(path, spelt))).toEqual([
      '/api/%61dmin',
      '/api/%61dmin',
      '/caf%C3%A9',
    ])
  })

  it('says who may use a method', () => {
    expect(table.match('GET', '/api/users/1')).toMatchObject({ at: 'route', access: 'public' })
    expect(table.match('POST', '/api/users')).toMatchObject({ at: 'route', access: ['things:write'] })
  })

  it.each(['TRACE', 'CONNECT', 'DELETE', 'get', '__proto__', 'constructor'])('refuses %s', (method) => {
    expect(table.match(method, '/api/users')).toMatchObject({ at: 'wrong-method', allow: 'GET, POST' })
  })

  it('has a route for each method, where several share a prefix', () => {
    const shop = [
      route('/shop', { upstream: 'reader', methods: { HEAD: 'public', GET: 'public' } }),
      route('/shop', { upstream: 'writer', methods: { POST: 'token' } }),
    ]
    const both = routeTable(shop)
    expect(both.match('GET', '/shop/1')).toMatchObject({ at: 'route', route: shop[0], access: 'public' })
    expect(both.match('POST', '/shop/1')).toMatchObject({ at: 'route', route: shop[1], access: 'token' })
    expect(both.match('PUT', '/shop/1')).toMatchObject({ at: 'wrong-method', allow: 'GET, HEAD, POST' })
  })

  it('knows nothing it was not told', () => {
    expect(table.match('GET', '/other')).toEqual({ at: 'no-route' })
    expect(routeTable([]).match('GET', '/')).toEqual({ at: 'no-route' })
  })

  it('agrees with trying every route, longest first', () => {
    const path = fc
      .array(fc.constantFrom('a', 'b', 'ab', 'A'), { minLength: 1, maxLength: 4 })
      .map((s) => `/${s.join('/')}`)
    fc.assert(
      fc.property(fc.uniqueArray(path), path, (prefixes, asked) => {
        const slow = prefixes
          .toSorted((a, b) => b.length - a.length)
          .find((prefix) => asked === prefix || asked.startsWith(`${prefix}/`))
        expect(prefixOf(asked, routeTable(prefixes.map((prefix) => route(prefix))))).toBe(slow)
      }),
    )
  })

  it('has no route for TRACE by type', () => {
    expect(HTTP_METHODS).not.toContain('TRACE')
  })
})

describe('upstreamTarget', () => {
  it.each([
    ['/gateway/api/users/1', '?a=b', '/gateway', '/api/users/1?a=b'],
    ['/gateway/api/users', '', '/gateway', '/api/users'],
    ['/gateway/api/users', '', '', '/gateway/api/users'],
    ['/gateway/api/users', '?x', '/gateway/api/users', '/?x'],
    ['/gateway/api/users/', '', '/gateway/api/users', '/'],
    ['/g%61teway/api/users/%31', '', '/gateway', '/api/users/%31'],
    ['/gateway/api/us%65rs', '?x', '/gateway/api/users', '/?x'],
  ])('%s%s less %j is %s', (path, query, strip_prefix, target) => {
    expect(upstreamTarget(route('/gateway/api/users', { strip_prefix }), path, query)).toBe(target)
  })
})
