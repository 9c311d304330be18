import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeHeaderText } from './header-text.ts'

describe('encodeHeaderText', () => {
  it.each([
    ['order-17/a+b!', 'order-17/a+b!'],
    ['Zoë', 'Zo%C3%AB'],
    ['a b"c%d', 'a%20b%22c%25d'],
    ['line\r\nx-evil: 1', 'line%0D%0Ax-evil:%201'],
    ['\ud800', '%EF%BF%BD'],
  ])('writes %j as %j', (text, value) => {
    expect(encodeHeaderText(text)).toBe(value)
  })

  it('gives what any header may hold, and back again what was meant', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const value = encodeHeaderText(text)
        expect(value).toMatch(/^[!-~]*$/)
        expect(decodeURIComponent(value)).toBe(text.toWellFormed())
      }),
    )
  })
})
