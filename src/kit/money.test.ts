import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Amount, fromCents, toCents } from './money.ts'

describe('money', () => {
  it('survives the way into JSON and back to the cent', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 99_999_999_999_999 }), (cents) => {
        const text = JSON.stringify(fromCents(cents))
        expect(text).toMatch(/^\d+(\.\d{1,2})?$/)
        expect(toCents(JSON.parse(text))).toBe(cents)
        expect(Amount.safeParse(JSON.parse(text)).success).toBe(true)
      }),
    )
  })

  it.each([29.999, -1, 1e13, Number.NaN, '29.99', 0.001])('refuses %s', (amount) => {
    expect(Amount.safeParse(amount).success).toBe(false)
  })
})
