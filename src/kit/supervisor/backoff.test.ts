import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { failuresAfter, RESTART, restartDelay } from './backoff.ts'

describe('restart back-off', () => {
  it('doubles from 100 ms to 30 s', () => {
    const delays = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 50].map((failures) => restartDelay(failures))
    expect(delays).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000])
  })

  it('forgets after ten seconds of readiness, not before', () => {
    expect(failuresAfter(7, 9_999)).toBe(8)
    expect(failuresAfter(7, 10_000)).toBe(1)
  })

  it('starts a role at most 11 times in the first minute, however fast it dies', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(RESTART.forgetMs - 1), { minLength: 30, maxLength: 30 }), (lives) => {
        let now = 0
        let failures = 0
        const starts = [0]
        for (const life of lives) {
          failures = failuresAfter(failures, life)
          now += life + restartDelay(failures)
          starts.push(now)
        }
        expect(starts.filter((at) => at < 60_000).length).toBeLessThanOrEqual(11)
      }),
    )
  })
})
