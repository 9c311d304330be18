import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseRetryAfter, pauseBeforeRetry, RetryBudget } from './retry.ts'

const NOW = Date.parse('2026-12-01T12:00:00Z')

class TestClock {
  time = 0
  now = () => NOW
  monotonic = () => this.time
}

describe('pauseBeforeRetry', () => {
  it('doubles, and leaves half of it to chance', () => {
    const clock = new TestClock()
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (attempt, chance) => {
        const ceiling = 100 * 2 ** (attempt - 1)
        const pause = pauseBeforeRetry(attempt, undefined, { random: () => chance, clock }) ?? 0
        expect(pause >= ceiling / 2 && pause < ceiling).toBe(true)
      }),
    )
  })

  it('obeys Retry-After up to 2 s', () => {
    const chance = { random: () => 0, clock: new TestClock() }
    expect(pauseBeforeRetry(1, '1', chance)).toBe(1_000)
    expect(pauseBeforeRetry(1, 'Tue, 01 Dec 2026 12:00:02 GMT', chance)).toBe(2_000)
    expect(pauseBeforeRetry(1, '3', chance)).toBeUndefined()
    expect(pauseBeforeRetry(1, '0', chance)).toBe(50)
  })

  it('takes any header', () => {
    fc.assert(fc.property(fc.string(), (value) => parseRetryAfter(value, NOW) >= 0))
    expect(parseRetryAfter('-5', NOW)).toBe(0)
    expect(parseRetryAfter('soon', NOW)).toBe(0)
  })
})

describe('RetryBudget', () => {
  it('gives a tenth of the calls, ten to begin with and one a second', () => {
    const event = fc.oneof(
      fc.constant('call' as const),
      fc.constant('retry' as const),
      fc.integer({ min: 1, max: 5_000 }),
    )
    fc.assert(
      fc.property(fc.array(event, { maxLength: 300 }), (events) => {
        const clock = new TestClock()
        const budget = new RetryBudget(clock)
        let calls = 0
        let retries = 0
        for (const next of events) {
          if (next === 'call') {
            calls++
            budget.deposit()
          } else if (next === 'retry') retries += budget.withdraw() ? 1 : 0
          else clock.time += next
        }
        expect(retries).toBeLessThanOrEqual(10 + calls / 10 + clock.time / 1000 + 1e-6)
      }),
    )
  })

  it('lets a quiet client retry again after a while', () => {
    const clock = new TestClock()
    const budget = new RetryBudget(clock)
    while (budget.withdraw());
    clock.time += 2_000
    expect([budget.withdraw(), budget.withdraw(), budget.withdraw()]).toEqual([true, true, false])
  })
})
