import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { appliedUnits } from './applied-units.ts'
import { someUnit } from './testing/some-unit.ts'
import type { Unit } from './unit.ts'

const NOTHING = { gone: [], fresh: [], changed: [], told: [], toldLast: [], adopted: [] }
const registry = someUnit('registry')
const shop = someUnit('shop', { needs: ['registry'], definition: 'node shop.js' })

describe('what it takes for units to become others', () => {
  it('is nothing for the same ones, in whatever order', () => {
    expect(appliedUnits([registry, shop], [shop, registry])).toEqual({ ...NOTHING, adopted: [registry, shop] })
  })

  it('is an end for those that are gone and a start for new ones', () => {
    const till = someUnit('till')
    const becoming = { ...NOTHING, gone: ['shop'], fresh: ['till'], adopted: [registry] }
    expect(appliedUnits([registry, shop], [registry, till])).toEqual(becoming)
  })

  it('is a restart for those that are run otherwise, and they alone keep what they were until then', () => {
    const other = { ...shop, definition: 'node till.js' }
    expect(appliedUnits([registry, shop], [registry, other])).toEqual({
      ...NOTHING,
      changed: ['shop'],
      adopted: [registry],
    })
  })

  it('is word to those that can be told, at once', () => {
    const other = { ...registry, reloadable: 'b' }
    expect(appliedUnits([registry, shop], [other, shop])).toEqual({
      ...NOTHING,
      told: ['registry'],
      adopted: [other, shop],
    })
  })

  it.each([
    ['goes', []],
    ['is restarted', [{ ...shop, needs: [], definition: 'node till.js' }]],
  ])('is word behind the end of who needed them where that one %s', (_, rest) => {
    const replica = someUnit('registry-2', { replicaOf: 'registry' })
    const other = { ...replica, reloadable: 'b' }
    const found = appliedUnits([registry, replica, shop], [registry, other, ...rest])
    expect(found).toMatchObject({ told: [], toldLast: ['registry-2'], adopted: [registry, other] })
  })

  it('accounts for each unit once', () => {
    const unit = fc.record({ definition: fc.constantFrom('a', 'b'), reloadable: fc.constantFrom('a', 'b') })
    const units = fc
      .dictionary(fc.constantFrom('p', 'q', 'r', 's'), unit)
      .map((all): readonly Unit[] =>
        Object.entries(all).map(([name, more]) => someUnit(name, { ...more, needs: ['p'] })),
      )
    fc.assert(
      fc.property(units, units, (running, wanted) => {
        const { gone, fresh, changed, told, toldLast, adopted } = appliedUnits(running, wanted)
        const goOn = adopted.map(({ name }) => name)
        expect([...gone, ...changed, ...goOn].sort()).toEqual(running.map(({ name }) => name).sort())
        expect([...fresh, ...changed, ...goOn].sort()).toEqual(wanted.map(({ name }) => name).sort())
        expect(goOn).toEqual(expect.arrayContaining([...told, ...toldLast]))
        for (const each of adopted) expect(wanted).toContain(each)
      }),
    )
  })
})
