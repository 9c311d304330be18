import { gzipSync } from 'node:zlib'
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/drivers/clock.ts'
import { createAuthority } from '../../src/kit/auth/local-authority.ts'
import { type Booted, boot } from './boot.ts'

let platform: Booted
beforeAll(async () => {
  platform = await boot(['log-server'])
})
afterAll(() => platform[Symbol.asyncDispose]())

const PROTOBUF = 'application/x-protobuf'
const JSON_TYPE = 'application/json'

/** Posts a body; gives status, type and what the answer says, of either encoding: numbers and texts of a protobuf message by their fields. */
async function post(path: string, body: string | Uint8Array, type: string, headers: Record<string, string> = {}) {
  const answer = await platform.fetch('log-server', path, {
    method: 'POST',
    headers: { 'content-type': type, ...headers },
    body: Buffer.from(body),
  })
  const bytes = await answer.bytes()
  const answered = answer.headers.get('content-type')
  const said = answered === PROTOBUF ? fieldsOf(bytes) : JSON.parse(Buffer.from(bytes).toString() || 'null')
  return { status: answer.status, type: answered, said }
}

function fieldsOf(bytes: Uint8Array): Record<number, unknown> {
  const reader = new BinaryReader(bytes)
  const fields: Record<number, unknown> = {}
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag()
    fields[field] = wireType === 0 ? Number(reader.int64()) : Buffer.from(reader.bytes()).toString()
  }
  return fields
}

const json = (path: string, body: unknown, headers?: Record<string, string>) =>
  post(path, typeof body === 'string' ? body : JSON.stringify(body), JSON_TYPE, headers)

let count = 0
const newTrace = () => (++count).toString(16).padStart(32, 'a')
const span = (traceId: string, more: object = {}) => ({
  traceId,
  spanId: '00f067aa0ba902b7',
  name: 'sell',
  startTimeUnixNano: '1764208000123456789',
  endTimeUnixNano: 1_764_208_000_223_456_789n.toString(),
  ...more,
})
const traces = (...spans: readonly object[]) => ({ resourceSpans: [{ scopeSpans: [{ spans }] }] })
const logs = (...logRecords: readonly object[]) => ({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] })
async function spansOf(traceId: string) {
  const answer = await platform.fetch('log-server', `/traces/${traceId}`)
  return answer.status === 200 ? ((await answer.json()) as { spans: Record<string, unknown>[] }).spans : []
}
async function entriesOf(traceId: string) {
  const answer = await platform.fetch('log-server', `/logs?trace_id=${traceId}`)
  return ((await answer.json()) as { entries: Record<string, unknown>[] }).entries
}

describe('OTLP in JSON', () => {
  it('takes what the specification allows: any case of ids, numbers as text or numbers, null, unknown fields', async () => {
    const traceId = newTrace()
    const answer = await json('/v1/traces', {
      unknown: [{ deep: ['x"]}'] }],
      resourceSpans: [
        {
          scopeSpans: [
            {
              later: 1,
              spans: [
                span(traceId.toUpperCase(), {
                  spanId: '00F067AA0BA902B7',
                  parentSpanId: '',
                  kind: 3,
                  unknown: { a: [1] },
                  status: null,
                  events: null,
                  attributes: [
                    { key: 'text', value: { stringValue: '5', later: true } },
                    { key: 'number', value: { intValue: 5 } },
                    { key: 'big', value: { intValue: '-9223372036854775808' } },
                    { key: 'not a number', value: { doubleValue: 'NaN' } },
                    { key: 'zero', value: { doubleValue: '-0' } },
                    { key: 'list', value: { arrayValue: { values: [{ intValue: '1' }, { stringValue: 'b' }, {}] } } },
                    { key: 'object', value: { kvlistValue: { values: [{ key: 'a', value: { boolValue: false } }] } } },
                    { key: 'nothing', value: {} },
                    { key: 'absent' },
                  ],
                }),
              ],
              scope: { name: 'late' },
            },
          ],
          resource: { attributes: [{ key: 'service.name', value: { stringValue: 'late-shop' } }] },
        },
      ],
    })
    expect(answer).toEqual({ status: 200, type: JSON_TYPE, said: {} })
    expect(await spansOf(traceId)).toEqual([
      {
        span_id: '00f067aa0ba902b7',
        parent_span_id: null,
        service: 'late-shop',
        operation: 'sell',
        kind: 'client',
        start: '2025-11-27T01:46:40.123457Z',
        duration_ms: 100,
        status: 'ok',
        tags: {
          text: '5',
          number: 5,
          big: '-9223372036854775808',
          'not a number': 'NaN',
          zero: -0,
          list: [1, 'b', null],
          object: { a: false },
          nothing: null,
          absent: null,
        },
        start_unix_nano: '1764208000123456789',
        end_unix_nano: '1764208000223456789',
        scope: { name: 'late' },
        resource: { attributes: { 'service.name': 'late-shop' } },
      },
    ])
  })

  it('keeps what fits, and names what doesn’t', async () => {
    const traceId = newTrace()
    const answer = await json(
      '/v1/traces',
      traces(
        span('00'),
        span(traceId),
        span(traceId, { spanId: '0000000000000000' }),
        span(traceId, { spanId: '1111111111111111', kind: 'SPAN_KIND_SERVER' }),
        span(traceId, { spanId: '1111111111111112', startTimeUnixNano: '0' }),
      ),
    )
    expect(answer).toMatchObject({
      status: 200,
      said: {
        partialSuccess: {
          rejectedSpans: '4',
          errorMessage: expect.stringMatching(
            /^4 spans were not taken; the one at index 0: its trace id is "00": 32 hexadecimal.*index 2: its span id.*; and so on$/,
          ),
        },
      },
    })
    expect(await spansOf(traceId)).toMatchObject([{ span_id: '00f067aa0ba902b7', service: 'unknown_service' }])
  })

  it('files log records by their severity, and hides secrets', async () => {
    const traceId = newTrace()
    const record = (severityNumber: number, more: object) => ({
      timeUnixNano: `${1_764_208_000_000 + severityNumber}000000`,
      severityNumber,
      traceId,
      ...more,
    })
    const body = logs(
      record(1, { body: { stringValue: 'password=hunter2' } }),
      record(9, { attributes: [{ key: 'authorization', value: { stringValue: 'Basic abc' } }] }),
      record(0, { severityText: 'warn', eventName: 'till.opened' }),
      record(24, { body: { kvlistValue: { values: [{ key: 'token', value: { stringValue: 'abc' } }] } } }),
    )
    expect(await json('/v1/logs', body)).toEqual({ status: 200, type: JSON_TYPE, said: {} })
    // the same once more
    expect(await json('/v1/logs', body)).toEqual({ status: 200, type: JSON_TYPE, said: {} })
    expect((await entriesOf(traceId)).map(({ level, message, metadata }) => ({ level, message, metadata }))).toEqual([
      { level: 'CRITICAL', message: '{"token":"[hidden]"}', metadata: undefined },
      { level: 'INFO', message: '', metadata: { authorization: '[hidden]' } },
      { level: 'DEBUG', message: 'password=[hidden]', metadata: undefined },
      { level: 'WARNING', message: 'till.opened', metadata: undefined },
    ])
  })

  it('says that metrics are not stored', async () => {
    const points = (key: string) => ({ name: 'm', [key]: { dataPoints: [{ asInt: '1' }, { asInt: '2' }] } })
    const body = { resourceMetrics: [{ scopeMetrics: [{ metrics: [points('sum'), points('gauge')] }] }] }
    expect(await json('/v1/metrics', body)).toMatchObject({
      status: 200,
      said: { partialSuccess: { rejectedDataPoints: '4', errorMessage: expect.stringContaining('not stored') } },
    })
    // the same in protobuf: a Sum (7) of two points
    const metric = new BinaryWriter().tag(1, 2).fork().tag(2, 2).fork().tag(2, 2).fork().tag(7, 2).fork()
    for (let i = 0; i < 2; i++) metric.tag(1, 2).bytes(new Uint8Array([1]))
    const request = metric.join().join().join().join().finish()
    expect(await post('/v1/metrics', request, PROTOBUF)).toMatchObject({
      status: 200,
      type: PROTOBUF,
      said: { 1: expect.stringContaining('not stored') },
    })
  })
})

/** A message of protobuf: each field's bytes behind its number. */
function message(...fields: readonly (readonly [number, Uint8Array | string])[]): Uint8Array {
  const writer = new BinaryWriter()
  for (const [field, bytes] of fields) writer.tag(field, 2).bytes(Buffer.from(bytes))
  return writer.finish()
}

/** A request with one span, whose attribute `deep` holds an object in an object, so many levels. */
function deepRequest(levels: number): Uint8Array {
  let value = message([1, 'end'])
  for (let level = 0; level < levels; level++) value = message([6, message([1, message([1, 'k'], [2, value])])])
  return message([1, message([2, message([2, message([9, message([1, 'deep'], [2, value])])])])])
}
const deepJson = (levels: number) =>
  `{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"k","value":${'{"kvlistValue":{"values":[{"key":"k","value":'.repeat(levels)}{}${'}]}}'.repeat(levels)}}]}]}]}]}`

describe('what is no OTLP request', () => {
  const whole = message([1, message([2, message([2, message([1, 'x'.repeat(16)], [2, 'y'.repeat(8)], [5, 'name'])])])])

  const broken: readonly (readonly [
    what: string,
    body: string | Uint8Array,
    type: string,
    headers?: Record<string, string>,
  ])[] = [
    ['a length beyond the end', whole.subarray(0, -1), PROTOBUF],
    ['a varint without an end', new Uint8Array(12).fill(0xff), PROTOBUF],
    ['a length of four gigabytes', new Uint8Array([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]), PROTOBUF],
    ['field 0', new Uint8Array([0x02, 0x00]), PROTOBUF],
    ['the end of no group', new Uint8Array([0x0c]), PROTOBUF],
    ['10 000 groups in groups', new Uint8Array(10_000).fill(0x0b), PROTOBUF],
    ['a value 5 000 levels deep', deepRequest(5_000), PROTOBUF],
    ['JSON for protobuf', '{"resourceSpans":[]}', PROTOBUF],
    ['protobuf for JSON', whole, JSON_TYPE],
    ['half of a document', '{"resourceSpans":[', JSON_TYPE],
    ['two documents', '{}{}', JSON_TYPE],
    ['a list', '[]', JSON_TYPE],
    ['a number for a list', '{"resourceSpans":1}', JSON_TYPE],
    ['broken JSON in a span', '{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":tru}]}]}]}', JSON_TYPE],
    ['a value 5 000 levels deep in JSON', deepJson(5_000), JSON_TYPE],
    ['gzip that is none', '{}', JSON_TYPE, { 'content-encoding': 'gzip' }],
    ['gzip that is cut off', gzipSync(whole).subarray(0, -9), PROTOBUF, { 'content-encoding': 'gzip' }],
  ]

  it.each(broken.map(([what, body, type, headers = {}]) => ({ what, body, type, headers })))(
    'is refused with 400 and a Status in its own encoding: $what',
    async ({ body, type, headers }) => {
      const answer = await post('/v1/traces', body, type, headers)
      expect(answer).toMatchObject({ status: 400, type })
      const { code, text } =
        type === PROTOBUF
          ? { code: answer.said[1], text: answer.said[2] }
          : { code: answer.said.code, text: answer.said.message }
      expect(code).toBe(3)
      expect(text).toMatch(/^The body /)
    },
  )

  it('is passed over where it is only unknown: other fields, other wire types', async () => {
    // the span's name as a varint, an unknown field of each wire type
    const odd = new BinaryWriter()
    odd
      .tag(5, 0)
      .uint32(7)
      .tag(99, 0)
      .uint32(1)
      .tag(98, 1)
      .fixed64(1)
      .tag(97, 5)
      .fixed32(1)
      .tag(96, 3)
      .tag(95, 0)
      .uint32(1)
      .tag(96, 4)
    const traceId = newTrace()
    const start = new BinaryWriter().tag(7, 1).fixed64(1_764_208_000_000_000_000n).finish()
    const ids = message([1, Buffer.from(traceId, 'hex')], [2, Buffer.from('00f067aa0ba902b7', 'hex')])
    const request = message([1, message([2, message([2, Buffer.concat([ids, start, odd.finish()])])])])
    expect(await post('/v1/traces', request, PROTOBUF)).toEqual({ status: 200, type: PROTOBUF, said: {} })
    expect(await spansOf(traceId)).toMatchObject([{ operation: '', service: 'unknown_service' }])
  })

  it.each([
    ['text/plain', 'hello', JSON_TYPE],
    ['', '{}', JSON_TYPE],
  ])('is refused with 415 when it comes as "%s"', async (type, body, answered) => {
    expect(await post('/v1/logs', body, type)).toMatchObject({ status: 415, type: answered, said: { code: 3 } })
  })

  it('is refused with 415 when it is compressed otherwise', async () => {
    expect(await post('/v1/logs', whole, PROTOBUF, { 'content-encoding': 'br' })).toMatchObject({
      status: 415,
      type: PROTOBUF,
      said: { 1: 3 },
    })
  })

  it('is refused with 413 beyond 20 MiB, inflated or not, while others are served', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1_048_576))
    const attack = Promise.all([
      post('/v1/traces', bomb, PROTOBUF, { 'content-encoding': 'gzip' }),
      post('/v1/logs', `{"x":"${'x'.repeat(21 * 1_048_576)}"}`, JSON_TYPE),
      post('/v1/logs', gzipSync(`{"x":"${'x'.repeat(21 * 1_048_576)}"}`), JSON_TYPE, { 'content-encoding': 'gzip' }),
    ])
    for (let i = 0; i < 5; i++) expect((await platform.fetch('log-server', '/health')).status).toBe(200)
    expect(await attack).toMatchObject([
      { status: 413, type: PROTOBUF, said: { 1: 3, 2: expect.stringContaining('larger than 20971520 bytes') } },
      { status: 413, type: JSON_TYPE, said: { code: 3 } },
      { status: 413, type: JSON_TYPE, said: { code: 3 } },
    ])
  })

  it('is refused with 413 when it is made of too many pieces to hold', async () => {
    // 2 bytes each: groups by resource, spans, events of a span
    const small = (field: number, size: number) => Buffer.alloc(size, Buffer.from([field * 8 + 2, 0]))
    expect(await post('/v1/traces', small(1, 4_000_000), PROTOBUF)).toMatchObject({ status: 413 })
    const spans = message([1, message([2, small(2, 4_000_000)])])
    expect(await post('/v1/traces', spans, PROTOBUF)).toMatchObject({ status: 413 })
    const groups = `{"resourceSpans":[${'{},'.repeat(2_000_000)}{}]}`
    expect(await post('/v1/traces', groups, JSON_TYPE)).toMatchObject({ status: 413 })
    const events = message([1, message([2, message([2, small(11, 100_000)])])])
    expect(await post('/v1/traces', events, PROTOBUF)).toMatchObject({
      status: 200,
      said: { 1: expect.stringContaining('more than 20000 values') },
    })
  })

  it('takes 19 MiB of spans', async () => {
    const traceId = newTrace()
    const one = Buffer.concat([
      message([1, Buffer.from(traceId, 'hex')]),
      new BinaryWriter().tag(7, 1).fixed64(1_764_208_000_000_000_000n).finish(),
      message([9, message([1, 'text'], [2, message([1, 'x'.repeat(2_100)])])]),
    ])
    const spans = Array.from({ length: 9_000 }, (_, i) => {
      const spanId = message([2, Buffer.from((i + 1).toString(16).padStart(16, '0'), 'hex')])
      return [2, Buffer.concat([one, spanId])] as const
    })
    const request = message([1, message([2, message(...spans)])])
    expect(request.length).toBeGreaterThan(18 * 1_048_576)
    expect(await post('/v1/traces', gzipSync(request), PROTOBUF, { 'content-encoding': 'gzip' })).toMatchObject({
      status: 200,
      said: {},
    })
    expect((await spansOf(traceId)).length).toBeGreaterThan(1_000)
  })
})

describe('OTLP in token mode', () => {
  it('wants the scope logs:write, and a service’s own name', async () => {
    await using secured = await boot(['log-server'], { platform: { auth: { mode: 'token' } } })
    const authority = createAuthority({
      ...secured.settings.auth,
      folder: `${secured.settings.data}/keys`,
      clock: systemClock,
    })
    const token = (subject: string, service: boolean, ...scopes: readonly string[]) =>
      authority.mint({ subject, scopes, audience: 'log-server', service })
    const ask = (authorization: string | undefined, body: object, type = JSON_TYPE) =>
      secured.fetch('log-server', '/v1/traces', {
        method: 'POST',
        headers: { 'content-type': type, ...(authorization && { authorization: `Bearer ${authorization}` }) },
        body: JSON.stringify(body),
      })
    const of = (...services: readonly string[]) => ({
      resourceSpans: services.map((service) => ({
        resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }] },
        scopeSpans: [{ spans: [span(newTrace())] }],
      })),
    })
    const nobody = await ask(undefined, of('shop'))
    expect([nobody.status, nobody.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    expect(await nobody.json()).toMatchObject({ code: 16 })
    expect((await ask(undefined, of('shop'), PROTOBUF)).headers.get('content-type')).toBe(PROTOBUF)
    const reader = await ask(await token('ann', false, 'logs:read'), of('shop'))
    expect([reader.status, await reader.json()]).toMatchObject([403, { code: 7 }])
    expect(await (await ask(await token('ann', false, 'logs:write'), of('shop'))).json()).toEqual({})
    const shop = await token('shop', true, 'logs:write')
    expect(await (await ask(shop, of('shop', 'bank'))).json()).toMatchObject({
      partialSuccess: {
        rejectedSpans: '1',
        errorMessage: expect.stringContaining("it is bank's, and this token is not"),
      },
    })
    // what names nobody is the sender's
    expect(await (await ask(shop, traces(span(newTrace())))).json()).toEqual({})
    const foreign = await ask(shop, of('bank'))
    expect([foreign.status, await foreign.json()]).toMatchObject([403, { code: 7 }])
  })
})
