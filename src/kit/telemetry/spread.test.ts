import fc from 'fast-check'
import { Histogram, Registry } from 'prom-client'
import { expect, it } from 'vitest'
import { Spread } from './spread.ts'

const about = { name: 'took_seconds', help: 'Time', labelNames: ['route', 'status'] as const, buckets: [0.1, 1, 5] }

it('says to the letter what prom-client’s histogram says', async () => {
  const value = fc.record({
    route: fc.constantFrom('/a', '/b "c"', 'ü'),
    status: fc.constantFrom(200, 404),
    seconds: fc.oneof(fc.constantFrom(0, 0.1, 1, 5, 5.1), fc.double({ min: 0, max: 9, noNaN: true })),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(value), async (values) => {
      const [ours, theirs] = [new Registry(), new Registry()]
      for (const registry of [ours, theirs]) registry.setDefaultLabels({ service: 's' })
      const spread = new Spread({ ...about, registers: [ours] })
      const histogram = new Histogram({ ...about, buckets: [...about.buckets], registers: [theirs] })
      const tallies = new Map<string, ReturnType<typeof spread.tally>>()
      for (const { route, status, seconds } of values) {
        const key = `${route} ${status}`
        const tally = tallies.get(key) ?? spread.tally({ route, status })
        tallies.set(key, tally)
        tally.observe(seconds)
        histogram.observe({ route, status }, seconds)
      }
      expect(await ours.metrics()).toBe(await theirs.metrics())
    }),
  )
})

it('counts what it was told', () => {
  const tally = new Spread({ ...about, registers: [new Registry()] }).tally({ route: '/a', status: 200 })
  tally.observe(0.5)
  tally.observe(9)
  expect(tally.count).toBe(2)
})
