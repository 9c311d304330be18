import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EntryIds, filingTime, firstIdAt } from './entry-ids.ts'

const DAY_MS = 86_400_000

describe('EntryIds', () => {
  it('gives growing ids that tell the time', () => {
    const time = fc.oneof(fc.integer({ min: 0, max: 4_000_000_000_000 }), fc.integer({ min: 7, max: 9 }))
    const times = fc.array(time, { minLength: 1, maxLength: 50 })
    const start = fc.constantFrom(0, 0.5, 0.98, 0.999)
    const property = fc.property(times, start, fc.constantFrom(1, 4), (unsorted, random, slots) => {
      const sorted = unsorted.toSorted((a, b) => a - b)
      const given = new EntryIds(() => random, slots).next(sorted)
      expect(given).toEqual([...new Set(given)].sort((a, b) => a - b))
      given.forEach((id, i) => {
        expect(Number.isSafeInteger(id)).toBe(true)
        expect(id).toBeGreaterThanOrEqual(firstIdAt(sorted[i] ?? 0))
        expect(id).toBeLessThan(firstIdAt((sorted[i] ?? 0) + 1))
      })
    })
    fc.assert(property)
  })

  it('goes on into the next milliseconds when there are too many of one', () => {
    const given = new EntryIds(() => 0.99).next(Array(10_000).fill(1_000))
    expect(new Set(given).size).toBe(10_000)
    expect(given.at(-1)).toBeLessThan(firstIdAt(1_007))
  })

  it('steps aside further with each attempt', () => {
    const ids = new EntryIds(() => 0.5)
    const moved = [0, 1, 5].map((attempt) => Math.floor((ids.next([1_000], attempt)[0] ?? 0) / 2_048) - 1_000)
    expect(moved).toEqual([0, 2, 512])
  })
})

describe('EntryIds of several servers', () => {
  it('differ, and are drawn anew where they do not', () => {
    const [one, two] = [new EntryIds(() => 0.2, 4), new EntryIds(() => 0.5, 4)]
    const times = Array(500).fill(1_000)
    const ids = [...one.next(times), ...two.next(times)]
    expect(new Set(ids).size).toBe(1_000)
    expect(Math.max(...ids)).toBeLessThan(firstIdAt(1_005))
    const draws = [0, 0, 0.9, 0.9]
    const another = new EntryIds(() => draws.shift() ?? 0.9, 4)
    expect((another.next([1_000])[0] ?? 0) % 4).toBe(0)
    expect((another.next([1_000], 1)[0] ?? 0) % 4).toBe(3)
  })
})

describe('filingTime', () => {
  it('is the time itself, unless that lies far ahead', () => {
    expect(filingTime(5, DAY_MS)).toBe(5)
    expect(filingTime(2 * DAY_MS, DAY_MS)).toBe(2 * DAY_MS)
    expect(filingTime(2 * DAY_MS + 1, DAY_MS)).toBe(DAY_MS)
  })
})
