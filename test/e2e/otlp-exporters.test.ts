import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { type Attributes, SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api'
import { OTLPLogExporter as JsonLogExporter } from '@opentelemetry/exporter-logs-otlp-http'
import { OTLPLogExporter as ProtoLogExporter } from '@opentelemetry/exporter-logs-otlp-proto'
import { OTLPTraceExporter as JsonTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { OTLPTraceExporter as ProtoTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import type { LogRecordExporter, ReadableLogRecord } from '@opentelemetry/sdk-logs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Booted, boot } from './boot.ts'

/** What an exporter that sends spans takes. */
type SpanBatch = Parameters<ProtoTraceExporter['export']>[0]
type AnySpan = SpanBatch[number]

let platform: Booted
beforeAll(async () => {
  platform = await boot(['log-server'])
})
afterAll(() => platform[Symbol.asyncDispose]())

const ATTRIBUTES = {
  text: 'Grüße, 世界 👋 "quoted" \\ and\nnewline',
  empty: '',
  yes: true,
  no: false,
  whole: 42,
  negative: -7,
  large: Number.MAX_SAFE_INTEGER,
  fraction: 0.1,
  texts: ['a', 'b'],
  numbers: [1, 2.5, -3],
  flags: [true, false],
} as const satisfies Attributes

const RESOURCE = {
  attributes: { 'service.name': 'shop', 'service.instance.id': 'shop-1', 'host.cpus': 4 },
  merge: () => RESOURCE,
  getRawAttributes: () => [],
  schemaUrl: 'https://opentelemetry.io/schemas/1.40.0',
}
const SCOPE = { name: 'till', version: '1.2.3', schemaUrl: 'https://example.com/scope', attributes: { part: 'cash' } }

let count = 0
/** Ids that no other test has. */
function newIds() {
  count++
  return {
    traceId: `4bf92f3577b34da6a3ce929d0e0e${count.toString(16).padStart(4, '0')}`,
    spanId: `00f067aa0ba9${count.toString(16).padStart(4, '0')}`,
  }
}

const SECOND = 1_764_208_000
const at = (nanos: number): [number, number] => [SECOND, nanos]
const nanosAt = (nanos: number) => String(BigInt(SECOND) * 1_000_000_000n + BigInt(nanos))

function spanOf(ids: { traceId: string; spanId: string }): AnySpan {
  return {
    name: 'sell a thing',
    kind: SpanKind.CONSUMER,
    spanContext: () => ({
      ...ids,
      traceFlags: TraceFlags.SAMPLED,
      traceState: { serialize: () => 'vendor=abc,other=1' } as never,
    }),
    parentSpanContext: { traceId: ids.traceId, spanId: 'b7ad6b7169203331', traceFlags: 1, isRemote: true },
    startTime: at(123_456_789),
    endTime: at(223_456_790),
    duration: [0, 100_000_001],
    ended: true,
    status: { code: SpanStatusCode.ERROR, message: 'sold out' },
    attributes: ATTRIBUTES,
    events: [
      { name: 'asked', time: at(130_000_001), attributes: { ...ATTRIBUTES, times: 3 }, droppedAttributesCount: 5 },
      { name: 'bare', time: at(140_000_002) },
    ],
    links: [
      {
        context: {
          traceId: '0af7651916cd43dd8448eb211c80319c',
          spanId: 'b7ad6b7169203332',
          traceFlags: 1,
          traceState: { serialize: () => 'link=1' } as never,
        },
        attributes: { why: 'batch' },
        droppedAttributesCount: 2,
      },
    ],
    resource: RESOURCE,
    instrumentationScope: SCOPE,
    droppedAttributesCount: 1,
    droppedEventsCount: 3,
    droppedLinksCount: 4,
  } as unknown as AnySpan
}

function recordOf(ids: { traceId: string; spanId: string }, body: ReadableLogRecord['body']): ReadableLogRecord {
  return {
    hrTime: at(111_222_333),
    hrTimeObserved: at(111_222_444),
    spanContext: { ...ids, traceFlags: 1 },
    severityText: 'WARN3',
    severityNumber: 15,
    body,
    eventName: 'till.opened',
    resource: RESOURCE,
    instrumentationScope: SCOPE,
    attributes: ATTRIBUTES,
    droppedAttributesCount: 6,
  } as unknown as ReadableLogRecord
}

interface Exporter<T> {
  export(items: T[], done: (result: { code: number; error?: Error }) => void): void
  shutdown(): Promise<void>
}

async function send<T>(exporter: Exporter<T>, items: T[]): Promise<{ code: number; error?: Error }> {
  const result = await new Promise<{ code: number; error?: Error }>((resolve) => exporter.export(items, resolve))
  await exporter.shutdown()
  return result
}

async function get(path: string): Promise<{ entries: Record<string, unknown>[]; spans: Record<string, unknown>[] }> {
  const answer = await platform.fetch('log-server', path)
  expect(answer.status).toBe(200)
  return answer.json() as never
}

const url = (path: string) => `${platform.url('log-server')}${path}`
const gzip = { compression: 'gzip' } as never

describe.each([
  ['protobuf', ProtoTraceExporter, ProtoLogExporter, {}],
  ['protobuf by gzip', ProtoTraceExporter, ProtoLogExporter, gzip],
  ['JSON', JsonTraceExporter, JsonLogExporter, {}],
  ['JSON by gzip', JsonTraceExporter, JsonLogExporter, gzip],
])('the exporters of OpenTelemetry, %s', (_name, TraceExporter, LogExporter, options) => {
  it('get every field of a span kept', async () => {
    const ids = newIds()
    const exporter = new TraceExporter({ url: url('/v1/traces'), ...options }) as Exporter<AnySpan>
    expect(await send(exporter, [spanOf(ids)])).toMatchObject({ code: 0 })
    const { spans } = await get(`/traces/${ids.traceId}`)
    expect(spans).toEqual([
      {
        span_id: ids.spanId,
        parent_span_id: 'b7ad6b7169203331',
        service: 'shop',
        operation: 'sell a thing',
        kind: 'consumer',
        start: '2025-11-27T01:46:40.123457Z',
        duration_ms: 100.000001,
        status: 'error',
        status_code: 'error',
        status_message: 'sold out',
        tags: ATTRIBUTES,
        start_unix_nano: nanosAt(123_456_789),
        end_unix_nano: nanosAt(223_456_790),
        trace_state: 'vendor=abc,other=1',
        flags: 0x301,
        events: [
          {
            name: 'asked',
            time_unix_nano: nanosAt(130_000_001),
            attributes: { ...ATTRIBUTES, times: 3 },
            dropped_attributes_count: 5,
          },
          { name: 'bare', time_unix_nano: nanosAt(140_000_002) },
        ],
        links: [
          {
            trace_id: '0af7651916cd43dd8448eb211c80319c',
            span_id: 'b7ad6b7169203332',
            trace_state: 'link=1',
            attributes: { why: 'batch' },
            dropped_attributes_count: 2,
            flags: 0x101,
          },
        ],
        dropped_attributes_count: 1,
        dropped_events_count: 3,
        dropped_links_count: 4,
        resource: { attributes: RESOURCE.attributes, schema_url: RESOURCE.schemaUrl },
        scope: expect.objectContaining({ name: 'till', version: '1.2.3', schema_url: SCOPE.schemaUrl }),
      },
    ])
  })

  it.each([
    ['a text', 'till 7 is open', 'till 7 is open', undefined],
    [
      'an object',
      { till: 7, open: true, of: ['a', { b: 1.5 }] },
      '{"till":7,"open":true,"of":["a",{"b":1.5}]}',
      { till: 7, open: true, of: ['a', { b: 1.5 }] },
    ],
    ['bytes', new Uint8Array([1, 2, 255]), '"AQL/"', 'AQL/'],
    ['a number', 5, '5', 5],
  ])('get every field of a log record kept, its body being %s', async (_of, body, message, kept) => {
    const ids = newIds()
    const exporter = new LogExporter({ url: url('/v1/logs'), ...options }) as LogRecordExporter
    expect(await send(exporter, [recordOf(ids, body)])).toMatchObject({ code: 0 })
    const { entries } = await get(`/logs?trace_id=${ids.traceId}`)
    expect(entries).toEqual([
      {
        id: expect.stringMatching(/^\d+$/),
        timestamp: '2025-11-27T01:46:40.111Z',
        level: 'WARNING',
        service: 'shop',
        instance: 'shop-1',
        message,
        trace_id: ids.traceId,
        span_id: ids.spanId,
        metadata: ATTRIBUTES,
        time_unix_nano: nanosAt(111_222_333),
        observed_time_unix_nano: nanosAt(111_222_444),
        severity_number: 15,
        severity_text: 'WARN3',
        ...(kept !== undefined && { body: kept }),
        event_name: 'till.opened',
        flags: 1,
        dropped_attributes_count: 6,
        resource: { attributes: RESOURCE.attributes, schema_url: RESOURCE.schemaUrl },
        scope: expect.objectContaining({ name: 'till', version: '1.2.3', schema_url: SCOPE.schemaUrl }),
      },
    ])
  })
})

/** Stands between an exporter and the log server; `lose` says of each request what becomes of it. */
async function startBetween(lose: (count: number) => 'refuse' | 'lose the answer' | 'pass on') {
  const times: number[] = []
  const server = createServer(async (incoming, outgoing) => {
    times.push(performance.now())
    const body = await buffer(incoming)
    const what = lose(times.length)
    const headers = { 'content-type': incoming.headers['content-type'] ?? '' }
    const answer =
      what === 'refuse' ? undefined : await fetch(url(incoming.url ?? ''), { method: 'POST', body, headers })
    if (what === 'pass on') outgoing.writeHead(answer?.status ?? 500).end(await answer?.bytes())
    else outgoing.writeHead(503, { 'retry-after': '1' }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    times,
    url: (path: string) => `http://127.0.0.1:${port}${path}`,
    [Symbol.asyncDispose]: async () => void server.close(),
  }
}

describe.each([
  ['protobuf', ProtoTraceExporter, ProtoLogExporter],
  ['JSON', JsonTraceExporter, JsonLogExporter],
])('what an exporter sends again, %s', (_name, TraceExporter, LogExporter) => {
  it('is stored once, though the answer to the first was lost', async () => {
    await using between = await startBetween((count) => (count === 1 ? 'lose the answer' : 'pass on'))
    const ids = newIds()
    const exporter = new LogExporter({ url: between.url('/v1/logs') }) as LogRecordExporter
    expect(await send(exporter, [recordOf(ids, 'one'), recordOf(ids, 'two')])).toMatchObject({ code: 0 })
    expect(between.times).toHaveLength(2)
    const { entries } = await get(`/logs?trace_id=${ids.traceId}`)
    expect(entries.map(({ message }) => message).sort()).toEqual(['one', 'two'])
  })

  it('comes when Retry-After says', async () => {
    await using between = await startBetween((count) => (count === 1 ? 'refuse' : 'pass on'))
    const ids = newIds()
    const exporter = new TraceExporter({ url: between.url('/v1/traces') }) as Exporter<AnySpan>
    expect(await send(exporter, [spanOf(ids)])).toMatchObject({ code: 0 })
    const [first = 0, second = 0] = between.times
    expect(second - first).toBeGreaterThan(990)
    expect((await get(`/traces/${ids.traceId}`)).spans).toHaveLength(1)
  })
})
