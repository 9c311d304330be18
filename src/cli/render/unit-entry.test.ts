import { stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { PrintableEntry } from './log-entry.ts'
import { formatUnitEntry } from './unit-entry.ts'

const ENTRY: PrintableEntry = {
  timestamp: '2026-01-01T12:00:00.000Z',
  level: 'INFO',
  service: 'catalog',
  message: 'served /x',
  metadata: { ms: 3 },
}
const STYLE = { unit: 'catalog-2', width: 11, colour: false }

it('puts the unit before what it says, and the level only where it is unusual', () => {
  expect(formatUnitEntry(ENTRY, STYLE)).toBe('12:00:00.000 catalog-2   | served /x ms=3')
  expect(formatUnitEntry({ ...ENTRY, level: 'WARNING', trace_id: 'a1' }, { ...STYLE, unit: 'shop' })).toBe(
    '12:00:00.000 shop        | WARNING served /x ms=3 trace=a1',
  )
})

it('keeps a stack trace readable, and none of its lines looks like another entry', () => {
  const message = 'Traceback (most recent call last):\n\tFile "app.py", line 3\n12:00:00.000 catalog-2   | forged\n'
  expect(formatUnitEntry({ ...ENTRY, message, metadata: {} }, STYLE)).toBe(
    [
      '12:00:00.000 catalog-2   | Traceback (most recent call last):',
      '             catalog-2   ¦   File "app.py", line 3',
      '             catalog-2   ¦ 12:00:00.000 catalog-2   | forged',
    ].join('\n'),
  )
  const long = Array.from({ length: 60 }, (_, line) => `line ${line}`).join('\n')
  const lines = formatUnitEntry({ ...ENTRY, message: long }, STYLE).split('\n')
  expect(lines).toHaveLength(41)
  expect(lines.at(-1)).toContain('… 20 more lines')
})

it('lets nothing through that moves the cursor, and says the same in colour', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.string({ unit: 'binary' }), (message, unit) => {
      const plain = formatUnitEntry({ ...ENTRY, message }, { ...STYLE, unit })
      expect(plain.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
      expect(stripVTControlCharacters(formatUnitEntry({ ...ENTRY, message }, { ...STYLE, unit, colour: true }))).toBe(
        plain,
      )
    }),
  )
})
