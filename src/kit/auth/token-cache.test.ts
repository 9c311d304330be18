import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TokenCache } from './token-cache.ts'

const identity = (subject: string) => ({ is: 'user' as const, subject, scopes: new Set<string>() })

describe('TokenCache', () => {
  it('drops the least recently used first', () => {
    const cache = new TokenCache(2)
    cache.set('a', identity('a'), 10)
    cache.set('b', identity('b'), 10)
    cache.get('a', 0)
    cache.set('c', identity('c'), 10)
    expect([cache.get('a', 0)?.subject, cache.get('b', 0), cache.get('c', 0)?.subject]).toEqual(['a', undefined, 'c'])
  })

  it('never holds more than its limit, nor gives an expired or another token’s identity', () => {
    const use = fc.record({ token: fc.constantFrom('a', 'b', 'c', 'd'), until: fc.nat(20), now: fc.nat(20) })
    fc.assert(
      fc.property(fc.array(use), (uses) => {
        const cache = new TokenCache(3)
        const until = new Map<string, number>()
        for (const { token, until: end, now } of uses) {
          const found = cache.get(token, now)
          if (found) expect([found.subject, now < (until.get(token) ?? 0)]).toEqual([token, true])
          cache.set(token, identity(token), end)
          until.set(token, end)
          expect(cache.size).toBeLessThanOrEqual(3)
        }
      }),
    )
  })
})
