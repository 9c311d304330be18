import fc from 'fast-check'
import stringWidth from 'string-width'
import { describe, expect, it } from 'vitest'
import { fitWidth, padWidth, textWidth, visibleJson, visibleText } from './visible-text.ts'

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

describe('fitting', () => {
  it('reckons with the width that string-width finds, character by character and for sequences', () => {
    const characters = Array.from({ length: 0x20000 - 0x20 }, (_, n) => visibleText(String.fromCodePoint(n + 0x20)))
    const sequences = ['👨‍👩‍👧', '🇨🇭', '👍🏽', '1️⃣', '❤️', 'e\u0301', '한국', 'Zürich 日本 📦']
    const texts = [...characters, ...sequences]
    expect(texts.filter((text) => textWidth(text) !== stringWidth(text))).toEqual([])
  })

  it.each([
    ['abcdef', 6, 'abcdef'],
    ['abcdef', 5, 'abcd…'],
    ['日本語', 5, '日本…'],
    ['日本語', 4, '日…'],
    ['ééé', 2, 'é…'],
    ['abc', 0, ''],
  ])('cuts %s to %i columns', (text, columns, fitted) => {
    expect(fitWidth(text, columns)).toBe(fitted)
  })

  it('takes exactly the columns asked for', () => {
    const property = fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 0, max: 30 }), (text, columns) => {
      const padded = padWidth(visibleText(text), columns)
      expect(textWidth(padded)).toBe(columns)
    })
    fc.assert(property, { numRuns: 500 })
  })
})
