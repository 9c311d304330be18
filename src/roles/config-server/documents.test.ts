import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { changedKeys, etagOf, layersOf, matches, nameOf, wantedDocument, wantedValue } from './documents.ts'

describe('wantedValue', () => {
  it.each([
    [100, { value: 100, secret: undefined }],
    [null, { value: null, secret: undefined }],
    [{ a: 1 }, { value: { a: 1 }, secret: undefined }],
    [{ value: 1 }, { value: 1, secret: undefined }],
    [
      { value: 'x', secret: true },
      { value: 'x', secret: true },
    ],
    [
      { value: 'x', unit: 's' },
      { value: { value: 'x', unit: 's' }, secret: undefined },
    ],
    [
      { value: 'x', secret: 'yes' },
      { value: { value: 'x', secret: 'yes' }, secret: undefined },
    ],
    [{ secret: true }, { value: { secret: true }, secret: undefined }],
  ])('reads %j', (json, wanted) => expect(wantedValue(json)).toEqual(wanted))
})

describe('a number that JSON can write and no computer can hold', () => {
  it.each(['1e999', '{"value":-1e999,"secret":true}', '[{"deep":1e400}]'])('is refused: %s', (text) => {
    expect(() => wantedValue(JSON.parse(text))).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }))
  })
})

describe('wantedDocument', () => {
  it.each([
    ['a list', []],
    ['null', null],
    ['a number', 1],
    ['a key with a slash', { 'a/b': 1 }],
    ['an empty key', { '': 1 }],
    ['a key with dots in front', { '..': 1 }],
    ['__proto__', JSON.parse('{"__proto__": 1}')],
    ['history', { history: 1 }],
    ['rollback', { rollback: 1 }],
  ])('refuses %s', (_, json) => {
    expect(() => wantedDocument(json)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }))
  })
})

describe('layersOf', () => {
  it('goes from the most general to the most special, each once', () => {
    expect(layersOf({ service: 'user', environment: 'production' }).map(nameOf)).toEqual([
      '_default/_default',
      '_default/production',
      'user/_default',
      'user/production',
    ])
    expect(layersOf({ service: '_default', environment: 'production' }).map(nameOf)).toEqual([
      '_default/_default',
      '_default/production',
    ])
    expect(layersOf({ service: '_default', environment: '_default' }).map(nameOf)).toEqual(['_default/_default'])
  })
})

describe('changedKeys', () => {
  it('names what was added, removed and altered', () => {
    const before = new Map([
      ['a', { value: 1 }],
      ['b', { value: { c: [1] } }],
      ['d', { value: 1 }],
    ])
    const after = new Map([
      ['b', { value: { c: [1] } }],
      ['d', { value: 2 }],
      ['e', { value: null }],
    ])
    expect(changedKeys(before, after)).toEqual(['a', 'd', 'e'])
  })
})

describe('matches', () => {
  it('finds a validator in a list, weak or strong, and knows the asterisk', () => {
    const etag = etagOf('{}')
    expect(matches(etag, [etag])).toBe(true)
    expect(matches(`"x", W/${etag}`, [etag])).toBe(true)
    expect(matches('*', [etag])).toBe(true)
    expect(matches('"x"', [etag])).toBe(false)
  })

  it('takes any header without failing', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('"', 'W', '/', ',', '*', ' ', 'a', 'é') }), (header) => {
        expect(matches(header, [etagOf('')])).toBe(header.trim() === '*')
      }),
    )
  })
})
