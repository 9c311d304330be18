import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  atTime,
  backoffMs,
  firstLease,
  givenBack,
  interrupted,
  isCurrent,
  leaseAgain,
  leftBehind,
  putOff,
  renewed,
  type Unsettled,
} from './lease-rules.ts'

const place = { topic: 1, offset: 7, position: 9 }
const limits = { maxDeliver: 3, ackWaitMs: 100 }
const at = (now: number) => ({ now, ...limits })
const counts = { spared: 0, waitedMs: 0 }

describe('the life of a handed-out message', () => {
  it('has a good token until the very end of its lease', () => {
    const leased = firstLease(place, at(1000))
    expect(isCurrent(leased, 1, 1099.9)).toBe(true)
    expect(isCurrent(leased, 1, 1100)).toBe(false)
    expect(isCurrent(leased, 2, 1000)).toBe(false)
  })

  it('is ready again when its lease ends, then dead after the last one', () => {
    let message = firstLease(place, at(0))
    for (const delivery of [2, 3]) {
      const ended = atTime(message, message.until, limits.maxDeliver)
      expect(ended).toMatchObject({ at: 'ready', reason: 'lease expired' })
      if (ended.at === 'dead') break
      const again = leaseAgain(ended, at(message.until))
      expect(again).toMatchObject({ at: 'leased', deliveries: delivery, attempt: delivery })
      if (again.at === 'leased') message = again
    }
    expect(atTime(message, message.until, limits.maxDeliver)).toEqual({ at: 'dead', reason: 'lease expired' })
  })

  it('waits when given back, and no token is good meanwhile', () => {
    const back = givenBack(firstLease(place, at(0)), { now: 10, delayMs: 50, reason: 'no stock', maxDeliver: 3 })
    expect(back).toMatchObject({ at: 'delayed', until: 60, reason: 'no stock' })
    if (back.at === 'dead') return
    expect(isCurrent(back, 1, 11)).toBe(false)
    expect(atTime(back, 59, 3)).toBe(back)
    expect(atTime(back, 60, 3)).toMatchObject({ at: 'ready', deliveries: 1 })
  })

  it('keeps its token over a restart until it is handed out again', () => {
    const left = interrupted({ ...place, ...counts, deliveries: 1, attempt: 4 })
    expect(isCurrent(left, 4, 1e9)).toBe(true)
    const again = leaseAgain(left, at(0))
    expect(again).toMatchObject({ at: 'leased', deliveries: 2, attempt: 5 })
    if (again.at === 'leased') expect(isCurrent(again, 4, 0)).toBe(false)
  })

  it('is spared for the first three restarts, which are not its fault; then it may be what they come of', () => {
    const left = { ...place, ...counts, deliveries: 5, attempt: 5 }
    expect(leaseAgain(interrupted({ ...left, spared: 2 }), at(0))).toMatchObject({ deliveries: 6, spared: 3 })
    expect(leaseAgain(interrupted({ ...left, spared: 3, deliveries: 6 }), at(0))).toMatchObject({ at: 'dead' })
  })

  it('comes back at once from the first three consumers that are gone, then as one that was refused', () => {
    let message: Unsettled = firstLease(place, at(0))
    const seen = []
    for (;;) {
      const left = leftBehind(message, { now: 0, random: 0, maxDeliver: 3 })
      seen.push(left.at)
      if (left.at === 'dead') break
      const back = left.at === 'delayed' ? atTime(left, left.until, 3) : left
      const again = back.at === 'dead' ? back : leaseAgain(back, at(0))
      if (again.at === 'dead') break
      message = again
    }
    expect(seen).toEqual(['ready', 'ready', 'ready', 'delayed', 'delayed', 'dead'])
  })

  it('is put off for as long as it takes, and given up after that', () => {
    const giveUpAfterMs = 86_400_000
    let message: Unsettled = firstLease(place, at(0))
    let now = 0
    const waits: number[] = []
    for (;;) {
      const off = putOff(message, { now, delayMs: 0, reason: 'the store is full', random: 0, giveUpAfterMs })
      if (off.at !== 'delayed') {
        expect(off).toEqual({ at: 'dead', reason: 'the store is full' })
        break
      }
      waits.push(off.until - now)
      now = off.until
      const back = atTime(off, now, 3)
      const again = back.at === 'dead' ? back : leaseAgain(back, at(now))
      if (again.at !== 'leased') throw new Error('it is dead before its time')
      message = again
    }
    expect(now).toBeGreaterThanOrEqual(giveUpAfterMs)
    expect([waits[0], waits.at(-1)]).toEqual([100, 30_000])
    // whoever is well again after 15 s is found within a tenth of that
    let end = 0
    for (const wait of waits) {
      end += wait
      if (end < 15_000) expect(wait).toBeLessThanOrEqual(1_500)
    }
  })

  it('is put off for no less than was asked for', () => {
    const off = putOff(firstLease(place, at(0)), {
      now: 0,
      delayMs: 60_000,
      reason: 'r',
      random: 1,
      giveUpAfterMs: 1,
    })
    expect(off).toMatchObject({ at: 'delayed', until: 60_000, waitedMs: 60_000 })
  })

  it('keeps its consumer over a renewal, and is leased again by one after a restart', () => {
    const leased = firstLease(place, { ...at(0), consumer: 'c' })
    expect(renewed(leased, at(90))).toMatchObject({ at: 'leased', until: 190, consumer: 'c', deliveries: 1 })
    expect(renewed(interrupted({ ...place, ...counts, deliveries: 1, attempt: 1 }), at(90)).until).toBe(190)
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
