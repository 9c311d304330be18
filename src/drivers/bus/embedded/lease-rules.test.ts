import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { atTime, backoffMs, firstLease, givenBack, isCurrent, leaseAgain } from './lease-rules.ts'

const place = { topic: 1, offset: 7, position: 9 }
const limits = { maxDeliver: 3, ackWaitMs: 100 }

describe('the life of a handed-out message', () => {
  it('has a good token until the very end of its lease', () => {
    const leased = firstLease(place, 1000, limits)
    expect(isCurrent(leased, 1, 1099.9)).toBe(true)
    expect(isCurrent(leased, 1, 1100)).toBe(false)
    expect(isCurrent(leased, 2, 1000)).toBe(false)
  })

  it('is ready again when its lease ends, then dead after the last one', () => {
    let message = firstLease(place, 0, limits)
    for (const delivery of [2, 3]) {
      const ended = atTime(message, message.until, limits.maxDeliver)
      expect(ended).toMatchObject({ at: 'ready', reason: 'lease expired' })
      if (ended.at === 'dead') break
      const again = leaseAgain(ended, message.until, limits)
      expect(again).toMatchObject({ at: 'leased', deliveries: delivery, attempt: delivery })
      if (again.at === 'leased') message = again
    }
    expect(atTime(message, message.until, limits.maxDeliver)).toEqual({ at: 'dead', reason: 'lease expired' })
  })

  it('waits when given back, and no token is good meanwhile', () => {
    const back = givenBack(firstLease(place, 0, limits), { now: 10, delayMs: 50, reason: 'no stock', maxDeliver: 3 })
    expect(back).toMatchObject({ at: 'delayed', until: 60, reason: 'no stock' })
    if (back.at === 'dead') return
    expect(isCurrent(back, 1, 11)).toBe(false)
    expect(atTime(back, 59, 3)).toBe(back)
    expect(atTime(back, 60, 3)).toMatchObject({ at: 'ready', deliveries: 1 })
  })

  it('keeps its token over a restart until it is handed out again', () => {
    const interrupted = { ...place, deliveries: 1, attempt: 4, at: 'interrupted' } as const
    expect(isCurrent(interrupted, 4, 1e9)).toBe(true)
    const again = leaseAgain(interrupted, 0, limits)
    expect(again).toMatchObject({ at: 'leased', deliveries: 2, attempt: 5 })
    if (again.at === 'leased') expect(isCurrent(again, 4, 0)).toBe(false)
  })

  it('is not handed out again after a restart when its deliveries are used up', () => {
    expect(leaseAgain({ ...place, deliveries: 3, attempt: 3, at: 'interrupted' }, 0, limits)).toMatchObject({
      at: 'dead',
    })
  })
})

describe('backoffMs', () => {
  it('doubles from 100 ms to 30 s, with up to half more by chance', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (deliveries, random) => {
          const least = Math.min(30_000, 100 * 2 ** (deliveries - 1))
          const delay = backoffMs(deliveries, random)
          expect(delay).toBeGreaterThanOrEqual(least)
          expect(delay).toBeLessThanOrEqual(least * 1.5)
        },
      ),
    )
  })
})
