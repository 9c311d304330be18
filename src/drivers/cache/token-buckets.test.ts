import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { tokenBuckets } from './token-bucket.ts'

describe('tokenBuckets', () => {
  it('lets a burst through, then as much as flows in', () => {
    const buckets = tokenBuckets({ per_second: 2, burst: 3 })
    const take = (now: number) => buckets.take('a', now).allowed
    expect([0, 0, 0, 0].map(take)).toEqual([true, true, true, false])
    expect([499, 500, 500].map(take)).toEqual([false, true, false])
    expect([60_000, 60_000, 60_000, 60_000].map(take)).toEqual([true, true, true, false])
  })

  it('says when to come again', () => {
    const buckets = tokenBuckets({ per_second: 0.1, burst: 1 })
    buckets.take('a', 0)
    expect(buckets.take('a', 0)).toEqual({ allowed: false, retryAfterSeconds: 10 })
    expect(buckets.take('a', 9_500)).toEqual({ allowed: false, retryAfterSeconds: 1 })
    expect(buckets.take('a', 10_000)).toEqual({ allowed: true })
  })

  it('keeps callers apart', () => {
    const buckets = tokenBuckets({ per_second: 1, burst: 1 })
    expect(['a', 'b', 'a'].map((key) => buckets.take(key, 0).allowed)).toEqual([true, true, false])
  })

  it('forgets the one unused longest', () => {
    const buckets = tokenBuckets({ per_second: 1, burst: 1 }, { maxKeys: 2 })
    for (const key of ['a', 'b', 'a', 'c']) buckets.take(key, 0)
    expect(buckets.size).toBe(2)
    expect(buckets.take('a', 0).allowed).toBe(false)
    expect(buckets.take('b', 0).allowed).toBe(true)
  })

  it('never lets more through than burst plus what flowed in', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.nat(300)),
        (burst, per_second, waits) => {
          const buckets = tokenBuckets({ per_second, burst })
          let now = 0
          let passed = 0
          for (const wait of waits) {
            now += wait
            if (buckets.take('a', now).allowed) passed++
            expect(passed).toBeLessThanOrEqual(burst + (now * per_second) / 1000 + 1e-6)
          }
        },
      ),
    )
  })
})
