import * as z from 'zod'
import { attributesOf, Bytes, doubleValue, int64Value, type Value } from '../attribute-value.ts'
import { ExactNumber } from '../contract.ts'
import type { OtlpEvent, OtlpLink, OtlpLogRecord, OtlpSpan } from './messages.ts'

// OTLP's JSON (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): names in camelCase, ids as hex, 64-bit numbers as text or numbers,
// enums as numbers. Null is absent, what is unknown is passed over.

const Whole = z.union([z.string(), z.number(), ExactNumber], 'expected a whole number, as text or a number')
/** A whole number within bounds, both inclusive. */
const wholeFrom = (least: bigint, most: bigint) =>
  Whole.transform((given, { addIssue }): bigint => {
    const text = JSON.isRawJSON(given) ? given.rawJSON : String(given)
    const value = /^-?\d{1,20}$/.test(text) ? BigInt(text) : undefined
    if (value !== undefined && value >= least && value <= most) return value
    addIssue({ code: 'custom', message: `expected a whole number from ${least} to ${most}` })
    return z.NEVER
  })
const Int64Number = wholeFrom(-(2n ** 63n), 2n ** 63n - 1n)
const Nanos = wholeFrom(0n, 2n ** 64n - 1n)
  .nullish()
  .transform((nanos) => nanos ?? 0n)
const Count = wholeFrom(0n, 2n ** 32n - 1n)
  .nullish()
  .transform((count) => Number(count ?? 0n))
const Enum = z
  .int()
  .nullish()
  .transform((number) => number ?? 0)
const Text = z
  .string()
  .nullish()
  .transform((text) => text ?? '')
const Hex = Text.transform((text) => text.toLowerCase())
const DoubleNumber = z
  .union([z.number(), ExactNumber, z.enum(['NaN', 'Infinity', '-Infinity']), z.string()])
  .transform((given, { addIssue }) => {
    const value = Number(JSON.isRawJSON(given) ? given.rawJSON : given)
    if (given === 'NaN' || (!Number.isNaN(value) && given !== '')) return value
    addIssue({ code: 'custom', message: 'expected a number, NaN, Infinity or -Infinity' })
    return z.NEVER
  })

const AnyValue: z.ZodType<Value> = z.lazy(() =>
  z
    .object({
      stringValue: z.string().nullish(),
      boolValue: z.boolean().nullish(),
      intValue: Int64Number.nullish(),
      doubleValue: DoubleNumber.nullish(),
      arrayValue: z.object({ values: z.array(AnyValue.nullable()).nullish() }).nullish(),
      kvlistValue: z.object({ values: KeyValues }).nullish(),
      bytesValue: z.base64().or(z.base64url()).nullish(),
    })
    .transform((given): Value => {
      if (typeof given.stringValue === 'string') return given.stringValue
      if (typeof given.boolValue === 'boolean') return given.boolValue
      if (typeof given.intValue === 'bigint') return int64Value(given.intValue)
      if (typeof given.doubleValue === 'number') return doubleValue(given.doubleValue)
      if (given.arrayValue) return given.arrayValue.values ?? []
      if (given.kvlistValue) return given.kvlistValue.values
      if (typeof given.bytesValue === 'string') return new Bytes(Buffer.from(given.bytesValue, 'base64'))
      return null
    }),
)
const KeyValue = z.object({ key: Text, value: AnyValue.nullish() })
const KeyValues = z
  .array(KeyValue)
  .nullish()
  .transform((pairs) => attributesOf((pairs ?? []).map(({ key, value }) => [key, value ?? null])))

const Event = z
  .object({ timeUnixNano: Nanos, name: Text, attributes: KeyValues, droppedAttributesCount: Count })
  .transform(
    ({ timeUnixNano: time, droppedAttributesCount: droppedAttributes, name, attributes }): OtlpEvent => ({
      time,
      name,
      attributes,
      droppedAttributes,
    }),
  )
const Link = z
  .object({
    traceId: Hex,
    spanId: Hex,
    traceState: Text,
    attributes: KeyValues,
    droppedAttributesCount: Count,
    flags: Count,
  })
  .transform(({ droppedAttributesCount: droppedAttributes, ...link }): OtlpLink => ({ ...link, droppedAttributes }))
const Status = z
  .object({ code: Enum, message: Text })
  .nullish()
  .transform((status) => status ?? { code: 0, message: '' })
/** A list; none for null. */
const list = <S extends z.ZodType>(item: S) =>
  z
    .array(item)
    .nullish()
    .transform((items) => items ?? [])

/** A span in JSON. */
export const JsonSpan = z
  .object({
    traceId: Hex,
    spanId: Hex,
    parentSpanId: Hex,
    traceState: Text,
    name: Text,
    kind: Enum,
    startTimeUnixNano: Nanos,
    endTimeUnixNano: Nanos,
    attributes: KeyValues,
    droppedAttributesCount: Count,
    events: list(Event),
    droppedEventsCount: Count,
    links: list(Link),
    droppedLinksCount: Count,
    status: Status,
    flags: Count,
  })
  .transform(
    ({
      startTimeUnixNano: start,
      endTimeUnixNano: end,
      droppedAttributesCount: droppedAttributes,
      droppedEventsCount: droppedEvents,
      droppedLinksCount: droppedLinks,
      ...span
    }): OtlpSpan => ({ ...span, start, end, droppedAttributes, droppedEvents, droppedLinks }),
  )

/** A log record in JSON. */
export const JsonLogRecord = z
  .object({
    timeUnixNano: Nanos,
    observedTimeUnixNano: Nanos,
    severityNumber: Enum,
    severityText: Text,
    body: AnyValue.nullish().transform((body) => body ?? undefined),
    attributes: KeyValues,
    droppedAttributesCount: Count,
    flags: Count,
    traceId: Hex,
    spanId: Hex,
    eventName: Text,
  })
  .transform(
    ({
      timeUnixNano: time,
      observedTimeUnixNano: observedTime,
      droppedAttributesCount: droppedAttributes,
      ...record
    }): OtlpLogRecord => ({ ...record, time, observedTime, droppedAttributes }),
  )

/** A resource in JSON, without its schema URL, which stands beside it. */
export const JsonResource = z
  .object({ attributes: KeyValues, droppedAttributesCount: Count })
  .transform(({ attributes, droppedAttributesCount: droppedAttributes }) => ({ attributes, droppedAttributes }))

/** A scope in JSON, without its schema URL. */
export const JsonScope = z
  .object({ name: Text, version: Text, attributes: KeyValues, droppedAttributesCount: Count })
  .transform(({ droppedAttributesCount: droppedAttributes, ...scope }) => ({ ...scope, droppedAttributes }))
