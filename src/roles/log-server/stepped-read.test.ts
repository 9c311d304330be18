import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Search } from './searches.ts'
import { readPage, type Stepwise } from './stepped-read.ts'

const clock = { monotonic: () => performance.now() }
const search: Search = { step: (work) => work() }

/** The numbers below a cursor that fit, looked at `most` at a time. */
function numbers(most: number, fits: (n: number) => boolean): Stepwise<number, number> {
  return {
    async step(from, size, limit) {
      const to = Math.max(0, from - Math.min(size, most))
      const found = Array.from({ length: from - to }, (_, i) => from - 1 - i).filter(fits)
      return { rows: found.slice(0, limit), next: to === 0 ? undefined : to }
    },
    after: (n) => n,
  }
}

describe('readPage', () => {
  it('gives every row once, whatever the steps and pages', async () => {
    const property = fc.asyncProperty(
      fc.integer({ min: 0, max: 60 }),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 10 }),
      fc.integer({ min: 1, max: 10 }),
      async (count, step, limit, every) => {
        const list = numbers(step, (n) => n % every === 0)
        const seen: number[] = []
        let from: number | undefined = count
        while (from !== undefined) {
          const page: Awaited<ReturnType<typeof readPage<number, number>>> = await readPage(list, from, limit, {
            search,
            clock,
          })
          expect(page.rows.length).toBeLessThanOrEqual(limit)
          if (page.next !== undefined) expect(page.rows).toHaveLength(limit)
          seen.push(...page.rows)
          from = page.next
        }
        expect(seen).toEqual(Array.from({ length: count }, (_, i) => count - 1 - i).filter((n) => n % every === 0))
      },
    )
    await fc.assert(property)
  })

  it('ends a page early when its time is over, and can go on', async () => {
    let steps = 0
    const brief: Search = { step: async (work) => (++steps > 2 ? undefined : work()) }
    const list = numbers(10, (n) => n === 5)
    expect(await readPage(list, 100, 10, { search: brief, clock })).toEqual({ rows: [], next: 80 })
    expect(await readPage(list, 80, 10, { search, clock })).toEqual({ rows: [5], next: undefined })
  })

  it('says that it was too busy when it had no turn', async () => {
    const none: Search = { step: async () => undefined }
    await expect(readPage(numbers(10, Boolean), 100, 10, { search: none, clock })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      headers: { 'retry-after': '1' },
    })
  })

  it('takes steps of 5 ms: smaller ones where they are slow, larger ones where they are quick', async () => {
    let now = 0
    const sizes: number[] = []
    const list: Stepwise<number, number> = {
      async step(from, size) {
        sizes.push(size)
        now += size / (from > 4_000 ? 300 : 100)
        return { rows: [], next: from > size ? from - size : undefined }
      },
      after: (n) => n,
    }
    await readPage(list, 8_000, 10, { search, clock: { monotonic: () => now } })
    expect(sizes).toEqual([500, 1_000, 1_500, 1_500, 1_500, 750, 500, 500, 500])
  })
})
