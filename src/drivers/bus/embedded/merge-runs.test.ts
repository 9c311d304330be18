import fc from 'fast-check'
import { expect, it } from 'vitest'
import { mergeRuns } from './merge-runs.ts'

it('gives the lowest positions of all runs in order, whatever the runs', () => {
  const owners = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 120 })
  fc.assert(
    fc.property(owners, fc.integer({ min: 1, max: 150 }), fc.integer({ min: 1, max: 20 }), (of, limit, from) => {
      const runs = [0, 1, 2, 3, 4, 5].map((owner) =>
        of
          .flatMap((is, position) => (is === owner ? [position] : []))
          .map((position, i) => ({ position, offset: i + 1 })),
      )
      const starts = runs.map((_, run) => ({ run, offset: from }))
      const fetch = ({ run }: { run: number }, offset: number, most: number) =>
        (runs[run] ?? []).filter((place) => place.offset >= offset).slice(0, most)
      const wanted = runs
        .flatMap((run) => run.filter((place) => place.offset >= from).map((place) => place.position))
        .toSorted((a, b) => a - b)
        .slice(0, limit)
      // The second time, the first places are known.
      for (const _ of [1, 2]) expect([...mergeRuns(starts, fetch, limit)]).toEqual(wanted)
    }),
  )
})

it('fetches little more than it gives', () => {
  let fetched = 0
  const fetch = (_: unknown, offset: number, most: number) => {
    fetched += most
    return Array.from({ length: most }, (_, i) => ({ offset: offset + i, position: offset + i }))
  }
  expect([...mergeRuns([{ offset: 1 }], fetch, 10)]).toHaveLength(10)
  expect(fetched).toBeLessThanOrEqual(20)
})
