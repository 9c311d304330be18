import type { IncomingHttpHeaders } from 'node:http'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AppError } from '../../kit/errors.ts'
import { eventId } from './event-identity.ts'
import { readBatch as readAny, readMessage } from './publish-request.ts'

const bytes = (text: string) => Buffer.from(text)
const event = { specversion: '1.0', id: '7', source: '/shop', type: 'order.created', data: { a: 1 } }
const structured = { 'content-type': 'application/cloudevents+json; charset=utf-8' }
const batched = { 'content-type': 'application/cloudevents-batch+json' }
const binary = { 'ce-specversion': '1.0', 'ce-id': '7', 'ce-source': '/shop', 'ce-type': 'order.created' }

const readBatch = async (headers: IncomingHttpHeaders, body: Buffer, atomic = true) =>
  (await readAny(headers, body, { owner: undefined, atomic, now: () => 0 })).items

describe('readMessage', () => {
  it('keeps any JSON to the letter', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom('', ' ', '\n\t'), (json, space) => {
        const text = `${space}${json}${space}`
        expect(readMessage('a.b', {}, bytes(text))).toMatchObject({ topic: 'a.b', payload: text, attributes: {} })
      }),
    )
  })

  it.each(['9007199254740993', '123456789012345678901234567890', '1e400', '{"2":[-0,1.0],"1":"a \\u00e9"}'])(
    'keeps %s to the letter in every form',
    async (text) => {
      const base64 = Buffer.from(text).toString('base64')
      const head = '"specversion":"1.0","id":"7","source":"/shop","type":"a.b"'
      const events = [`{${head},"data": ${text} }`, `{"data":${text},${head}}`, `{${head},"data_base64":"${base64}"}`]
      const lines = [`{"payload": ${text}, "topic":"a.b"}`, ...events]
      const messages = [
        readMessage('a', {}, bytes(text)),
        readMessage('a', binary, bytes(text)),
        ...events.map((json) => readMessage('a', structured, bytes(json))),
        ...(await readBatch({}, bytes(lines.join('\n')))),
        ...(await readBatch(batched, bytes(`[${events.join()}]`))),
      ]
      expect(messages.map(({ payload }) => payload)).toEqual(Array(12).fill(text))
    },
  )

  it('keeps the white space of JSON that comes as bytes, over which somebody may have signed', () => {
    const text = '{ "a":  1.0 }\n'
    const base64 = Buffer.from(text).toString('base64')
    const head = '"specversion":"1.0","id":"7","source":"/shop","type":"a.b"'
    const message = readMessage('a', structured, bytes(`{${head},"data_base64":"${base64}"}`))
    expect(message.payload).toBe(text)
  })

  it('gives each message an id, or takes it from Idempotency-Key', () => {
    expect(readMessage('a', {}, bytes('1')).id).not.toBe(readMessage('a', {}, bytes('1')).id)
    expect(readMessage('a', { 'idempotency-key': 'mine' }, bytes('1')).id).toBe('mine')
    expect(() => readMessage('a', { 'idempotency-key': 'x'.repeat(256) }, bytes('1'))).toThrow(AppError)
  })

  it('reads a structured event: the topic is the one asked for', () => {
    const message = readMessage('orders', structured, bytes(JSON.stringify(event)))
    expect(message).toMatchObject({
      topic: 'orders',
      payload: '{"a":1}',
      attributes: { source: '/shop', type: 'order.created' },
    })
    expect(eventId(message)).toBe('7')
  })

  it('reads a binary event', () => {
    const message = readMessage('orders', binary, bytes('{ "a": 1 }'))
    expect(message).toMatchObject({ payload: '{ "a": 1 }', attributes: { source: '/shop', type: 'order.created' } })
    expect(eventId(message)).toBe('7')
  })

  it('knows an event without data from one whose data are null', () => {
    const none = { payload: 'null', form: 'none' }
    expect(readMessage('a', binary, bytes(''))).toMatchObject(none)
    expect(readMessage('a', structured, bytes(JSON.stringify({ ...event, data: undefined })))).toMatchObject(none)
    const ofNull = readMessage('a', structured, bytes(JSON.stringify({ ...event, data: null })))
    expect([ofNull.payload, ofNull.form]).toEqual(['null', undefined])
  })

  it.each([
    ['nothing', {}, ''],
    ['half a document', {}, '{"a":'],
    ['two documents', {}, '1 2'],
    ['endless nesting', {}, '['.repeat(100_000)],
    ['half a surrogate pair', {}, '"\\ud800"'],
    ['a structured event that is none', structured, '{"a":1}'],
    ['a structured event that is no JSON', structured, 'x'],
    ['a binary event without id', { ...binary, 'ce-id': '' }, '1'],
    ['a binary event whose data is no JSON', binary, 'x'],
    ['a binary event without specversion', { 'ce-id': '7', 'ce-source': '/shop', 'ce-type': 'a' }, '1'],
    ['an id of an event without the rest', { 'ce-id': '7' }, '1'],
    ['another format of events', { 'content-type': 'application/cloudevents+protobuf' }, '1'],
    ['a batch of events', batched, '[]'],
  ])('refuses %s', (_, headers, text) => {
    expect(() => readMessage('a', headers, bytes(text))).toThrow(AppError)
  })

  it('refuses invalid UTF-8', () => {
    expect(() => readMessage('a', {}, Buffer.from([0x22, 0xff, 0x22]))).toThrow(AppError)
  })
})

describe('readBatch', () => {
  it('reads lines of events and of plain messages', async () => {
    const lines = [event, { topic: 'a.b', payload: [1], id: 'x' }, { topic: 'a.b', payload: null }]
    const messages = await readBatch({}, bytes(`${lines.map((line) => JSON.stringify(line)).join('\n')}\r\n\n`))
    expect(messages.map(({ topic, payload }) => [topic, payload])).toEqual([
      ['order.created', '{"a":1}'],
      ['a.b', '[1]'],
      ['a.b', 'null'],
    ])
    expect(messages[1]?.id).toBe('x')
  })

  it.each([
    ['as it came', `{"topic":"a","payload":"${'é'.repeat(524_288)}"}`],
    ['in an event', JSON.stringify({ ...event, data: 'x'.repeat(1_048_576) })],
  ])('refuses a message larger than one that comes alone may be: %s', async (_, line) => {
    const large = expect.objectContaining({ code: 'BODY_TOO_LARGE', detail: expect.stringContaining('at index 1') })
    await expect(readBatch({}, bytes(`{"topic":"a","payload":1}\n${line}`))).rejects.toThrow(large)
  })

  it('reads a batch of events', async () => {
    const messages = await readBatch(batched, bytes(JSON.stringify([event, { ...event, id: '8' }])))
    expect(messages.map(eventId)).toEqual(['7', '8'])
    expect(await readBatch(batched, bytes('[]'))).toEqual([])
  })

  it.each([
    ['nothing', {}, '', 'empty'],
    ['blank lines', {}, ' \n\r\n', 'empty'],
    ['invalid UTF-8', {}, Buffer.from('{"topic":"a","payload":"\xff"}', 'latin1'), 'UTF-8'],
    ['a line that is no JSON', {}, '{"topic":"a","payload":1}\n{', 'at index 1'],
    ['a line that is no message', {}, '{"payload":1}', 'at index 0'],
    ['a line without payload', {}, '{"topic":"a"}', 'at index 0'],
    ['an id with a control character', {}, '{"topic":"a","payload":1,"id":"\\u001b"}', 'at index 0'],
    ['a wildcard topic', {}, '{"topic":"a.*","payload":1}', 'at index 0'],
    ['a type that is no topic', {}, JSON.stringify({ ...event, type: 'a/b' }), 'at index 0'],
    ['a batch that is no array', batched, '{}', 'array'],
    ['a message in a batch of events', batched, '[{"topic":"a","payload":1}]', 'at index 0'],
    ['an event in a batch that is none', batched, '[{"specversion":"1.0"}]', 'at index 0'],
    ['too many', {}, '{"topic":"a","payload":1}\n'.repeat(10_001), 'at most'],
  ])('refuses %s', async (_, headers, body, detail) => {
    await expect(readBatch(headers, Buffer.from(body))).rejects.toThrow(
      expect.objectContaining({ name: 'AppError', status: 400, detail: expect.stringContaining(detail) }),
    )
  })
})
