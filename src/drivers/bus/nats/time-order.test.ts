import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Timed, TimeOrder } from './time-order.ts'

const inOrder = (one: Timed, other: Timed) => one.at - other.at || one.seq - other.seq

it('keeps thousands in order, whatever comes and goes', () => {
  const times = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 3_000, size: 'max' })
  const run = fc.property(times, fc.infiniteStream(fc.nat(9)), (ats, dice) => {
    const order = new TimeOrder<Timed>()
    let model: Timed[] = []
    for (const [seq, at] of ats.entries()) {
      order.add({ at, seq })
      model.push({ at, seq })
      const die = dice.next().value
      if (die === 0) {
        const gone = model[Math.floor(model.length / 2)] ?? { at: 0, seq: -1 }
        expect(order.delete(gone)).toBe(true)
        expect(order.delete(gone)).toBe(false)
        model = model.filter((one) => one !== gone)
      }
      if (die === 1 && seq % 7 === 0) {
        model.sort(inOrder)
        const due = model.findIndex((one) => one.at > at)
        const taken = model.splice(0, Math.min(300, due < 0 ? model.length : due))
        expect(order.take(at, 300)).toEqual(taken)
      }
    }
    model.sort(inOrder)
    expect([...order]).toEqual(model)
    expect([order.size, order.first]).toEqual([model.length, model[0]])
    expect(order.take(50, 10_000)).toEqual(model)
    expect([order.size, order.first]).toEqual([0, undefined])
  })
  fc.assert(run, { numRuns: 50 })
})
