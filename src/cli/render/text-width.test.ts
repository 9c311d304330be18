import fc from 'fast-check'
import stringWidth from 'string-width'
import { describe, expect, it } from 'vitest'
import { fitWidth, padWidth, textWidth } from './text-width.ts'
import { visibleText } from './visible-text.ts'

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
