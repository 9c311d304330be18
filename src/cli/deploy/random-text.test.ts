import { expect, it } from 'vitest'
import { randomText } from './random-text.ts'

it('gives letters and digits, as many as asked for, others each time', () => {
  const texts = Array.from({ length: 200 }, () => randomText(26))
  for (const text of texts) expect(text).toMatch(/^[A-HJ-NP-Za-km-z2-9]{26}$/)
  expect(new Set(texts).size).toBe(200)
  // each of them comes up
  expect(new Set(texts.join('')).size).toBe(57)
})
