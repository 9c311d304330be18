import { describe, expect, it } from 'vitest'
import { GatewayConfig } from './config.ts'
import { policies } from './policy.ts'

const LIMIT = { per_second: 1, burst: 1 }

/** Compiles one section after the other, each with a limit of 1 at /shop; gives what counts reads there. */
function compiling() {
  const made: string[] = []
  const compile = policies((name) => {
    made.push(name)
    return { take: () => ({ allowed: true, left: made.length, retryAfterMs: 0 }) }
  })
  const shop = { prefix: '/shop', upstream: 'shop', methods: { GET: 'public' }, read_limit: LIMIT }
  const readsOf = (routes: object, more: object = {}) => {
    const match = compile(GatewayConfig.parse({ routes, write_limit: null, ...more })).table.match('GET', '/shop')
    return match.at === 'route' ? match.route.reads : undefined
  }
  return { made, readsOf, shop }
}

describe('policies', () => {
  it('keep what a limit has counted while other things change', () => {
    const { readsOf, shop, made } = compiling()
    const first = readsOf({ shop })
    expect(first).toBeDefined()
    expect(readsOf({ shop, till: { prefix: '/till', upstream: 'till', methods: {}, read_limit: LIMIT } })).toBe(first)
    expect(readsOf({ shop: { ...shop, methods: { GET: 'token', POST: 'token' } } }, { body_limit: 7 })).toBe(first)
    expect(made).toEqual(['shop reads', 'till reads'])
  })

  it('begin to count anew by another limit, and by one that was away', () => {
    const { readsOf, shop } = compiling()
    const first = readsOf({ shop })
    const other = readsOf({ shop: { ...shop, read_limit: { per_second: 1, burst: 2 } } })
    expect(other).not.toBe(first)
    expect(readsOf({ shop: { ...shop, read_limit: null } })).toBeUndefined()
    expect(readsOf({ shop: { ...shop, read_limit: { per_second: 1, burst: 2 } } })).not.toBe(other)
  })
})
