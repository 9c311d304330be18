import * as fc from 'fast-check'
import { type Attributes, attributesOf, Bytes, doubleValue, int64Value, type Value } from '../attribute-value.ts'
import type { LogRecord } from '../log-record.ts'
import type { Origin } from '../origin.ts'
import type { Span } from '../span.ts'

/** Spans and log records of any kind, as they come out of OTLP. Texts are such as show no secret. */

const text = fc.string({ unit: 'grapheme-composite', maxLength: 12 }).map((word) => word.replaceAll(/[:=@-]/g, '_'))
const name = fc.stringMatching(/^[bcdfg]{3,8}\.[0-9]{1,3}$/)
const count = fc.option(fc.integer({ min: 1, max: 2 ** 32 - 1 }), { nil: undefined })
const nanos = fc.bigInt({ min: 1n, max: 2n ** 63n }).map(String)
const traceId = fc.stringMatching(/^[0-9a-f]{31}[1-9a-f]$/)
const spanId = fc.stringMatching(/^[0-9a-f]{15}[1-9a-f]$/)

const { value } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    text,
    fc.boolean(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(int64Value),
    fc.double().map(doubleValue),
    fc.uint8Array({ maxLength: 8 }).map((bytes) => new Bytes(bytes)),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.array(fc.tuple(name, tie('value')), { maxLength: 3 }).map(attributesOf),
  ),
}))

const attributes: fc.Arbitrary<Attributes> = fc.array(fc.tuple(name, value), { maxLength: 5 }).map(attributesOf)
const someAttributes = fc.option(fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 3 }).map(attributesOf), {
  nil: undefined,
})
const someText = fc.option(
  text.filter((word) => word !== ''),
  { nil: undefined },
)

/** An object without its undefined fields, and undefined where it has no others. */
function known<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, held]) => held !== undefined)) as T
}

const origin = fc
  .record({
    resource: fc
      .record({
        attributes: someAttributes.map((given) => ({ 'service.name': 'shop', ...given })),
        dropped_attributes_count: count,
        schema_url: someText,
      })
      .map(known),
    scope: fc
      .record({
        name: fc.constant('till'),
        version: someText,
        attributes: someAttributes,
        dropped_attributes_count: count,
        schema_url: someText,
      })
      .map(known),
  })
  .map((given) => given as Origin)

const event = fc
  .record({ time_unix_nano: nanos, name: text, attributes: someAttributes, dropped_attributes_count: count })
  .map(known)
const link = fc
  .record({
    trace_id: traceId,
    span_id: spanId,
    trace_state: someText,
    attributes: someAttributes,
    dropped_attributes_count: count,
    flags: count,
  })
  .map(known)
const listOf = <T>(item: fc.Arbitrary<T>) =>
  fc.option(fc.array(item, { minLength: 1, maxLength: 3 }), { nil: undefined })

const spanFields = fc.record({
  trace_id: traceId,
  span_id: spanId,
  parent_span_id: fc.option(spanId),
  operation: text,
  kind: fc.constantFrom('unspecified', 'internal', 'server', 'client', 'producer', 'consumer'),
  status_code: fc.constantFrom(undefined, 'ok', 'error'),
  tags: attributes,
  start: fc.bigInt({ min: 1n, max: 2n ** 62n }),
  length: fc.bigInt({ min: 0n, max: 2n ** 50n }),
  details: fc.record({
    trace_state: someText,
    flags: count,
    status_message: someText,
    events: listOf(event),
    links: listOf(link),
    dropped_attributes_count: count,
    dropped_events_count: count,
    dropped_links_count: count,
  }),
  origin,
})

/** Spans. */
export const anySpan: fc.Arbitrary<Span> = spanFields.map(
  ({ start, length, status_code, details, ...span }) =>
    ({
      ...span,
      service: 'shop',
      start: Number(start) / 1e6,
      duration_ms: Number(length) / 1e6,
      status: status_code === 'error' ? 'error' : 'ok',
      details: known({
        start_unix_nano: String(start),
        end_unix_nano: String(start + length),
        ...details,
        status_code,
      }),
    }) as Span,
)

/** Log records. */
export const anyLogRecord: fc.Arbitrary<LogRecord> = fc
  .record({
    body: fc.oneof(text, value),
    time: nanos,
    metadata: someAttributes,
    ids: fc.option(fc.tuple(traceId, spanId)),
    details: fc.record({
      observed_time_unix_nano: fc.option(nanos, { nil: undefined }),
      severity_number: fc.constantFrom(9, 10, 11, 12),
      severity_text: someText,
      flags: count,
      dropped_attributes_count: count,
    }),
    origin,
  })
  .map(
    ({ body, time, metadata, ids, details, origin }) =>
      ({
        timestamp: Number(BigInt(time)) / 1e6,
        level: 'INFO',
        service: 'shop',
        instance: '',
        message: typeof body === 'string' ? body : body === null ? '' : JSON.stringify(body),
        trace_id: ids?.[0] ?? null,
        span_id: ids?.[1] ?? null,
        ...(metadata && { metadata }),
        details: known({ time_unix_nano: time, ...details, body: typeof body === 'string' ? undefined : body }),
        origin,
      }) as LogRecord,
  )
