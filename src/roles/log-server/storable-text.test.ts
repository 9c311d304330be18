import fc from 'fast-check'
import { expect, it } from 'vitest'
import { restored, storable } from './storable-text.ts'

it('keeps any text without NUL, and gives it back', () => {
  const text = fc.string({
    unit: fc.oneof(fc.constantFrom('\0', '\x10', '0', 'a'), fc.string({ unit: 'binary', maxLength: 1 })),
  })
  const property = fc.property(text, (text) => {
    expect(storable(text)).not.toContain('\0')
    expect(restored(storable(text))).toBe(text)
  })
  fc.assert(property, { numRuns: 1_000 })
})
