import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TokenBuckets } from './token-buckets.ts'

describe('TokenBuckets', () => {
  it('lets a burst through, then as much as flows in', () => {
    const buckets = new TokenBuckets()
    const take = (now: number) => buckets.take('a', { perSecond: 2, burst: 3 }, now).allowed
    expect([0, 0, 0, 0].map(take)).toEqual([true, true, true, false])
    expect([499, 500, 500].map(take)).toEqual([false, true, false])
    expect([60_000, 60_000, 60_000, 60_000].map(take)).toEqual([true, true, true, false])
  })

  it('says what is left and when to come again', () => {
    const buckets = new TokenBuckets()
    const take = (now: number) => buckets.take('a', { perSecond: 0.1, burst: 1 }, now)
    expect(take(0)).toEqual({ allowed: true, left: 0, retryAfterMs: 0 })
    expect(take(0)).toEqual({ allowed: false, left: 0, retryAfterMs: 10_000 })
    expect(take(7_500)).toEqual({ allowed: false, left: 0.75, retryAfterMs: 2_500 })
    expect(take(10_000)).toEqual({ allowed: true, left: 0, retryAfterMs: 0 })
  })

  it('takes several at once, or none', () => {
    const buckets = new TokenBuckets()
    const take = (cost: number, now: number) => buckets.take('a', { perSecond: 1, burst: 10 }, now, cost)
    expect(take(8, 0)).toMatchObject({ allowed: true, left: 2 })
    expect(take(4, 0)).toEqual({ allowed: false, left: 2, retryAfterMs: 2_000 })
    expect(take(4, 2_000)).toMatchObject({ allowed: true, left: 0 })
  })

  it('keeps callers apart', () => {
    const buckets = new TokenBuckets()
    const take = (key: string) => buckets.take(key, { perSecond: 1, burst: 1 }, 0).allowed
    expect(['a', 'b', 'a'].map(take)).toEqual([true, true, false])
  })

  it('forgets the one unused longest', () => {
    const buckets = new TokenBuckets(2)
    const take = (key: string) => buckets.take(key, { perSecond: 1, burst: 1 }, 0).allowed
    for (const key of ['a', 'b', 'a', 'c']) take(key)
    expect(buckets.size).toBe(2)
    expect(take('a')).toBe(false)
    expect(take('b')).toBe(true)
  })

  it('never lets more through than burst plus what flowed in', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.nat(300)),
        (burst, perSecond, waits) => {
          const buckets = new TokenBuckets()
          let now = 0
          let passed = 0
          for (const wait of waits) {
            now += wait
            if (buckets.take('a', { perSecond, burst }, now).allowed) passed++
            expect(passed).toBeLessThanOrEqual(burst + (now * perSecond) / 1000 + 1e-6)
          }
        },
      ),
    )
  })
})
