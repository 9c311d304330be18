import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TokenCache } from './token-cache.ts'

const BELIEVED = { isBelieved: () => true, isRevoked: () => false }
const { publicKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify'])
const KEY = { kid: 'a', algorithm: 'ES256', key: publicKey } as const
const verified = (subject: string, until = 10, id?: string) => ({
  identity: { is: 'user' as const, subject, scopes: new Set<string>() },
  until,
  key: KEY,
  id,
})

describe('TokenCache', () => {
  it('drops the least recently used first', () => {
    const cache = new TokenCache(2, BELIEVED)
    cache.set('a', verified('a'))
    cache.set('b', verified('b'))
    cache.get('a', 0)
    cache.set('c', verified('c'))
    expect([cache.get('a', 0)?.subject, cache.get('b', 0), cache.get('c', 0)?.subject]).toEqual(['a', undefined, 'c'])
  })

  it('gives nobody for a token that was revoked, or whose key is believed no more', () => {
    const doubts = { believed: true, revoked: '' }
    const cache = new TokenCache(3, { isBelieved: () => doubts.believed, isRevoked: (id) => id === doubts.revoked })
    cache.set('a', verified('a', 10, 'one'))
    cache.set('b', verified('b', 10, 'two'))
    doubts.revoked = 'two'
    expect([cache.get('a', 0)?.subject, cache.get('b', 0)]).toEqual(['a', undefined])
    doubts.believed = false
    expect(cache.get('a', 0)).toBeUndefined()
  })

  it('never holds more than its limit, nor gives an expired or another token’s identity', () => {
    const use = fc.record({ token: fc.constantFrom('a', 'b', 'c', 'd'), until: fc.nat(20), now: fc.nat(20) })
    fc.assert(
      fc.property(fc.array(use), (uses) => {
        const cache = new TokenCache(3, BELIEVED)
        const until = new Map<string, number>()
        for (const { token, until: end, now } of uses) {
          const found = cache.get(token, now)
          if (found) expect([found.subject, now < (until.get(token) ?? 0)]).toEqual([token, true])
          cache.set(token, verified(token, end))
          until.set(token, end)
          expect(cache.size).toBeLessThanOrEqual(3)
        }
      }),
    )
  })
})
