import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AppError } from '../errors.ts'
import { type CloudEvent, fromHeaders, fromStructured, isJsonType, toHeaders, toStructured } from './cloud-event.ts'

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
const extension = fc.stringMatching(/^[a-z][a-z0-9]{0,12}$/)
const reserved = new Set(['specversion', 'id', 'source', 'type', 'time', 'data', 'datacontenttype'])

const event: fc.Arbitrary<CloudEvent> = fc
  .record({
    id: text,
    source: text,
    type: text,
    time: fc.option(fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('2200-01-01') })),
    extensions: fc.dictionary(
      extension.filter((name) => !reserved.has(name)),
      text,
      { maxKeys: 5 },
    ),
    data: fc.jsonValue({ maxDepth: 5 }),
  })
  .map(({ id, source, type, time, extensions, data }) => {
    const attributes = { source, type, ...(time && { time: time.toISOString() }), ...extensions }
    return { id, attributes, data: JSON.parse(JSON.stringify(data)) }
  })

const base64 = (content: string) => Buffer.from(content).toString('base64')
const sixFullAttributes = Object.fromEntries(Array.from('abcdef', (name) => [name, 'x'.repeat(4_000)]))
const minimal = { specversion: '1.0', id: '1', source: '/shop', type: 'order.created' }

describe('a structured CloudEvent', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(event, (given) => {
        expect(fromStructured(JSON.parse(JSON.stringify(toStructured(given))))).toEqual(given)
      }),
    )
  })

  it('needs no data', () => {
    expect(fromStructured(minimal)).toEqual({ id: '1', attributes: { source: '/shop', type: 'order.created' } })
  })

  it('keeps null data, and drops null attributes', () => {
    const { attributes, data } = fromStructured({ ...minimal, data: null, subject: null })
    expect([attributes, data]).toEqual([{ source: '/shop', type: 'order.created' }, null])
  })

  it('writes booleans and integers as text', () => {
    const { attributes } = fromStructured({ ...minimal, sampledrate: 30, urgent: true })
    expect(attributes).toMatchObject({ sampledrate: '30', urgent: 'true' })
  })

  it('takes JSON in base64', () => {
    const packed = Buffer.from('{"a":1}').toString('base64')
    expect(fromStructured({ ...minimal, data_base64: packed }).data).toEqual({ a: 1 })
  })

  it.each([
    ['no object', 'x'],
    ['another version', { ...minimal, specversion: '0.3' }],
    ['no id', { ...minimal, id: undefined }],
    ['an empty id', { ...minimal, id: '' }],
    ['no source', { ...minimal, source: undefined }],
    ['no type', { ...minimal, type: undefined }],
    ['a time that is none', { ...minimal, time: 'yesterday' }],
    ['an attribute that is an object', { ...minimal, extra: {} }],
    ['a fraction', { ...minimal, extra: 1.5 }],
    ['an attribute name in capitals', { ...minimal, traceParent: 'x' }],
    ['a control character', { ...minimal, subject: 'a\r\nX-Evil: 1' }],
    ['a control character in its id', { ...minimal, id: '\u0000' }],
    ['a data type that is no media type', { ...minimal, datacontenttype: 'é' }],
    ['more attributes than a header block holds', { ...minimal, ...sixFullAttributes }],
    [
      'data nested too deep',
      { ...minimal, datacontenttype: 'application/json', data_base64: base64('['.repeat(65) + ']'.repeat(65)) },
    ],
    [
      'data with half a surrogate pair',
      { ...minimal, datacontenttype: 'application/json', data_base64: base64('"\\ud800"') },
    ],
    [
      'data that is not UTF-8',
      {
        ...minimal,
        datacontenttype: 'application/json',
        data_base64: Buffer.from([0x22, 0xff, 0x22]).toString('base64'),
      },
    ],
    [
      'bytes that are no JSON',
      { ...minimal, datacontenttype: 'application/json', data_base64: Buffer.from('GIF89a').toString('base64') },
    ],
    ['data twice', { ...minimal, data: 1, data_base64: base64('1') }],
    ['null data twice', { ...minimal, data: null, data_base64: base64('1') }],
  ])('refuses %s', (_, value) => {
    expect(() => fromStructured(value)).toThrow(AppError)
  })

  it('lets no prototype in', () => {
    const value: unknown = JSON.parse(`{"specversion":"1.0","id":"1","source":"/s","type":"t","__proto__":"x"}`)
    try {
      const { attributes } = fromStructured(value)
      expect(Object.getPrototypeOf(attributes)).toBe(Object.prototype)
    } catch (refused) {
      expect(refused).toBeInstanceOf(AppError)
    }
  })
})

describe('a binary CloudEvent', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(event, ({ id, attributes }) => {
        const headers = toHeaders({ id, attributes })
        for (const value of Object.values(headers)) expect(value).toMatch(/^[\x21-\x7e]*$/)
        expect(fromHeaders(headers)).toEqual({ id, attributes })
      }),
    )
  })

  it('is none without a ce-* header, and a faulty one without ce-specversion', () => {
    expect(fromHeaders({ 'content-type': 'application/json' })).toBeUndefined()
    for (const name of ['ce-id', 'ce-source', 'ce-type']) expect(() => fromHeaders({ [name]: '1' })).toThrow(AppError)
  })

  it.each([
    ['application/vnd.shop+json', 'application/vnd.shop+json'],
    ['text/plain;charset=UTF-8', 'text/plain;charset=UTF-8'],
    ['application/json', undefined],
    ['application/x-www-form-urlencoded', undefined],
  ])('of %s has the media type %s', (type, expected) => {
    const headers = toHeaders({ id: '1', attributes: { source: '/s', type: 't' } })
    expect(fromHeaders({ ...headers, 'content-type': type })?.attributes.datacontenttype).toBe(expected)
  })

  it.each([
    ['application/json; charset=utf-8', true],
    ['application/vnd.shop+json', true],
    ['text/json', true],
    [undefined, true],
    ['application/jsonp', false],
    ['application/json+xml', false],
    ['text/plain; format=a/json', false],
  ])('knows of %s whether it is JSON', (type, expected) => {
    expect(isJsonType(type)).toBe(expected)
  })

  it('refuses what is encoded as bytes that are no text', () => {
    const headers = toHeaders({ id: '1', attributes: { source: '/s', type: 't' } })
    expect(() => fromHeaders({ ...headers, 'ce-subject': '%ff' })).toThrow(AppError)
    expect(() => fromHeaders({ ...headers, 'ce-subject': 'caf\xe9' })).toThrow(AppError)
  })

  it('takes bytes over 7F that somebody left as they are for the UTF-8 that they are', () => {
    const headers = toHeaders({ id: '1', attributes: { source: '/s', type: 't' } })
    const asNodeGivesIt = Buffer.from('café %E2%82%AC').toString('latin1')
    expect(fromHeaders({ ...headers, 'ce-subject': asNodeGivesIt })?.attributes.subject).toBe('café €')
  })

  it('refuses what lacks an id', () => {
    expect(() => fromHeaders({ 'ce-specversion': '1.0', 'ce-source': '/s', 'ce-type': 't' })).toThrow(AppError)
  })
})
