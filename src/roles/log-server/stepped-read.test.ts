import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readPage, type Stepwise } from './stepped-read.ts'

/** The numbers below a cursor that fit, read in steps of `step`. */
function numbers(step: number, fits: (n: number) => boolean): Stepwise<number, number> {
  return {
    stepEnd: async (from) => (from > step ? from - step : undefined),
    read: async (from, to = 0, limit) => {
      const found = Array.from({ length: from - to }, (_, i) => from - 1 - i).filter(fits)
      return found.slice(0, limit)
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
          const page: Awaited<ReturnType<typeof readPage<number, number>>> = await readPage(
            list,
            from,
            limit,
            performanceClock,
          )
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

  it('ends a page early when the search takes long, and can go on', async () => {
    let now = 0
    const clock = { monotonic: () => (now += 1_500) }
    const list = numbers(10, (n) => n === 5)
    const page = await readPage(list, 100, 10, clock)
    expect(page).toEqual({ rows: [], next: 80 })
    expect(await readPage(list, 80, 10, performanceClock)).toEqual({ rows: [5], next: undefined })
  })
})

const performanceClock = { monotonic: () => performance.now() }
