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
  ])('reads %j', (json, wanted) =>
    expect(wantedValue(JSON.stringify(json))).toEqual({ ...wanted, text: JSON.stringify(wanted.value) }),
  )
})

describe('a number that JSON can write and no computer can hold', () => {
  it.each(['1e999', '[{"deep":1e400}]', '{"2":-0,"1":1.0}'])('is kept to the letter: %s', (text) => {
    expect(wantedValue(text).text).toBe(text)
    expect(wantedValue(`{ "value": ${text}, "secret": true }`)).toMatchObject({ text, secret: true })
    expect(wantedDocument(`{"a":{"value":${text}},"b":${text}}`).get('a')?.text).toBe(text)
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
    expect(() => wantedDocument(JSON.stringify(json))).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }))
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
      ['a', { text: '1' }],
      ['b', { text: '{"c":[1]}' }],
      ['d', { text: '1' }],
    ])
    const after = new Map([
      ['b', { text: '{"c":[1]}' }],
      ['d', { text: '2' }],
      ['e', { text: 'null' }],
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
