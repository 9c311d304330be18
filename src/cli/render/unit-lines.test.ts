import { stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { textWidth } from './text-width.ts'
import { type UnitLine, unitLines } from './unit-lines.ts'

const ROOM = { rows: 24, columns: 79, colour: false, spinner: '⠋' }
const UNITS: readonly UnitLine[] = [
  { name: 'registry', is: 'ready', words: 'ready in 312 ms' },
  { name: 'user', is: 'waiting', words: 'waiting for registry' },
  { name: 'catalog-2', is: 'busy', words: 'GET /health answers 503' },
  { name: 'migrate', is: 'done', words: 'done' },
  { name: 'shop', is: 'failed', words: 'failed: exit code 1' },
]

it('has a line a unit', () => {
  expect(unitLines(UNITS, ROOM).join('\n')).toMatchInlineSnapshot(`
    "✔ registry   ready in 312 ms
    · user       waiting for registry
    ⠋ catalog-2  GET /health answers 503
    ✔ migrate    done
    ✖ shop       failed: exit code 1"
  `)
})

it('tells of the ready ones in one line where there is no room for all, and counts what is still too much', () => {
  expect(unitLines(UNITS, { ...ROOM, rows: 4 })).toEqual([
    '✔ 2 of 5 ready',
    '· user       waiting for registry',
    '⠋ catalog-2  GET /health answers 503',
    '✖ shop       failed: exit code 1',
  ])
  expect(unitLines(UNITS, { ...ROOM, rows: 3 })).toEqual([
    '✔ 2 of 5 ready',
    '· user       waiting for registry',
    '… and 2 more',
  ])
  expect(unitLines(UNITS, { ...ROOM, rows: 1 })).toEqual(['✔ 2 of 5 ready'])
})

it('never needs more room than there is', () => {
  const is = fc.constantFrom('waiting', 'busy', 'ready', 'done', 'failed')
  const unit: fc.Arbitrary<UnitLine> = fc.record({
    name: fc.string({ unit: 'grapheme', maxLength: 40 }),
    is,
    words: fc.string({ unit: 'grapheme', maxLength: 120 }),
  })
  fc.assert(
    fc.property(
      fc.array(unit, { maxLength: 30 }),
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 12, max: 90 }),
      (units, rows, columns) => {
        const lines = unitLines(units, { ...ROOM, rows, columns, colour: true }).map(stripVTControlCharacters)
        expect(lines.length).toBeLessThanOrEqual(rows)
        for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(columns)
      },
    ),
  )
})
