import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { visibleJson, visibleText } from './visible-text.ts'

describe('visibleText', () => {
  it.each([
    ['plain "text"', 'plain "text"'],
    ['Zürich 日本 📦', 'Zürich 日本 📦'],
    ['a\r\nb\tc', 'a\\r\\nb\\tc'],
    ['\u001b[31mred\u001b[0m', '\\u001b[31mred\\u001b[0m'],
    ['\u009b31m\u0007\0\u007f', '\\u009b31m\\u0007\\u0000\\u007f'],
    ['abc\u202edef', 'abc\\u202edef'],
    ['a\u2028b\ufeff', 'a\\u2028b\\ufeff'],
    ['half \ud83d!', 'half \\ud83d!'],
    ['tag \u{e0041}', 'tag \\u{e0041}'],
  ])('shows %j as %s', (text, shown) => {
    expect(visibleText(text)).toBe(shown)
  })

  it('leaves nothing that a terminal would obey', () => {
    const property = fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(visibleText(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
    })
    fc.assert(property, { numRuns: 500 })
  })
})

describe('visibleJson', () => {
  it.each([
    ['Zürich 📦', '"Zürich 📦"'],
    ['\u009b31m\u007f', '"\\u009b31m\\u007f"'],
    ['abc\u202edef\u2066', '"abc\\u202edef\\u2066"'],
    ['a\u2028b', '"a\\u2028b"'],
    ['tag \u{e0041}', '"tag \\udb40\\udc41"'],
  ])('writes %j as %s', (text, json) => {
    expect(visibleJson(text)).toBe(json)
  })

  it('is the same value, and nothing that a terminal would obey', () => {
    const property = fc.property(
      fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })),
      (value) => {
        const json = visibleJson(value)
        expect(json).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
        expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(value)))
      },
    )
    fc.assert(property, { numRuns: 300 })
  })
})
