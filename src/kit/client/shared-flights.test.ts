import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SharedFlights } from './shared-flights.ts'

describe('SharedFlights', () => {
  it('never answers with a flight that started before the question', async () => {
    const step = fc.constantFrom('ask' as const, 'land' as const, 'turn' as const)
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const flights = new SharedFlights()
        const airborne: (() => void)[] = []
        let time = 0
        const fly = () => {
          const startedAt = ++time
          return new Promise((resolve) => airborne.push(() => resolve(startedAt)))
        }
        const asked: Promise<void>[] = []
        for (const next of steps) {
          if (next === 'ask') {
            const at = ++time
            asked.push(flights.join('key', fly).then((startedAt) => expect(startedAt).toBeGreaterThan(at)))
          } else if (next === 'land') airborne.shift()?.()
          else await Promise.resolve()
        }
        let landed = false
        const all = Promise.all(asked).then(() => {
          landed = true
        })
        while (!landed) {
          airborne.shift()?.()
          await new Promise(setImmediate)
        }
        await all
      }),
      { numRuns: 50 },
    )
  })

  it('takes those who come meanwhile together, at the latest after 5 ms', async () => {
    const flights = new SharedFlights()
    let starts = 0
    const hanging = flights.join('key', () => {
      starts++
      return new Promise(() => {})
    })
    const passengers = Array.from({ length: 10 }, () => flights.join('key', async () => ++starts))
    expect(await Promise.all(passengers)).toEqual(passengers.map(() => 2))
    expect(await Promise.race([hanging, 'hanging'])).toBe('hanging')
  })

  it('fails all passengers of a flight that fails, and no one after it', async () => {
    const flights = new SharedFlights()
    const fail = async () => {
      throw new Error('storm')
    }
    await expect(flights.join('key', fail)).rejects.toThrow('storm')
    expect(await flights.join('key', async () => 'sun')).toBe('sun')
  })
})
