import { describe, expect, it } from 'vitest'
import { vectorOf, vectorQuery } from './postgres-words.ts'

describe('vectorOf', () => {
  it.each([
    ['Order created: créé', 'order:1 created:2 cree:3'],
    ['', ''],
    ['- ~ -', ''],
  ])('counts the words of %j', (text, vector) => {
    expect(vectorOf(text)).toBe(vector)
  })

  it.each([
    ['a word is too long', `${'x'.repeat(501)} a`, `~ ${'x'.repeat(500)} a`],
    ['one is there too often', 'a b '.repeat(256), '~ a b'],
    ['there are too many', 'a b c d '.repeat(4_096), '~ a b c d'],
  ])('says that it doesn’t say all where %s', (_, text, vector) => {
    expect(vectorOf(text)).toBe(vector)
  })
})

describe('vectorQuery', () => {
  it.each([
    [['order', 'Order'], { words: 'order', phrases: undefined, unsure: undefined }],
    [['order', 'créé'], { words: 'order & cree', phrases: undefined, unsure: undefined }],
    [['order_id:17', 'x'], { words: 'order & id & 17 & x', phrases: '((order <-> id <-> 17) & (x)) | ~', unsure: '~' }],
    [['x'.repeat(499)], { words: 'x'.repeat(499), phrases: undefined, unsure: undefined }],
    [['x'.repeat(500)], { words: 'x'.repeat(500), phrases: `((${'x'.repeat(500)})) | ~`, unsure: '~' }],
    [['-', '~'], { words: '', phrases: undefined, unsure: undefined }],
  ])('asks for %j', (phrases, query) => {
    expect(vectorQuery(phrases)).toEqual(query)
  })
})
