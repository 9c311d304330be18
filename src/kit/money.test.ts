import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Amount, amountText, fromCents, toCents } from './money.ts'

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

  it.each([
    [0, '0.00'],
    [1, '0.01'],
    [99_999, '999.99'],
    [100_000, '1 000.00'],
    [123_456_789, '1 234 567.89'],
    [99_999_999_999_999, '999 999 999 999.99'],
  ])('reads %d cents to people as %s', (cents, text) => {
    expect(amountText(cents)).toBe(text)
  })

  it.each([29.999, -1, 1e13, Number.NaN, '29.99', 0.001])('refuses %s', (amount) => {
    expect(Amount.safeParse(amount).success).toBe(false)
  })
})
