import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { callerNumber, type Sharer, Shares } from './shares.ts'

describe('Shares', () => {
  it('never lets uploads or a caller beyond their parts, and forgets nobody', () => {
    const step = fc.record({ caller: fc.nat(3), upload: fc.boolean(), leaves: fc.nat(20) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const shares = new Shares(16, { uploadShare: 0.5, callerShare: 0.25 })
        const inside: Sharer[] = []
        for (const { caller, upload, leaves } of steps) {
          const leaving = leaves < inside.length ? inside.splice(leaves, 1)[0] : undefined
          if (leaving) shares.leave(leaving)
          const his = inside.filter((one) => one.caller === caller)
          const shortage = shares.enter({ caller, upload })
          if (!shortage) inside.push({ caller, upload })
          // callers may share a slot by chance, so only what is let in is certain
          else expect(inside.length).toBeGreaterThanOrEqual(his.length === 0 && !upload ? 12 : 4)
          expect(inside.filter((one) => one.upload).length).toBeLessThanOrEqual(8)
          for (const number of [0, 1, 2, 3]) {
            const held = inside.filter((one) => one.caller === number)
            expect(held.filter((one) => one.upload).length).toBeLessThanOrEqual(4)
            if (held.length === inside.length) expect(held.length).toBeLessThanOrEqual(12)
          }
        }
        for (const one of inside) shares.leave(one)
        for (let at = 0; at < 12; at++) expect(shares.enter({ caller: 1, upload: false })).toBeUndefined()
        expect(shares.enter({ caller: 1, upload: false })).toBe('share')
      }),
    )
  })

  it('gives a pool of one to one at a time', () => {
    const shares = new Shares(1, { uploadShare: 0.01, callerShare: 0.01 })
    expect(shares.enter({ caller: 1, upload: true })).toBeUndefined()
    expect(shares.enter({ caller: 1, upload: false })).toBe('share')
  })
})

describe('callerNumber', () => {
  it('tells callers apart', () => {
    const numbers = Array.from({ length: 10_000 }, (_, at) => callerNumber(`address 10.0.${at >> 8}.${at & 255}`))
    expect(new Set(numbers).size).toBeGreaterThan(9_990)
  })
})
