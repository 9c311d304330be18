import * as z from 'zod'
import { AppError } from '../../../kit/errors.ts'
import { jsonAttributes, jsonValue, wholeNumber } from './json-value.ts'
import type { OtlpEvent, OtlpLink, OtlpLogRecord, OtlpSpan } from './messages.ts'

// OTLP's JSON (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): names in camelCase, ids as hex, 64-bit numbers as text or numbers,
// enums as numbers. Null is absent, what is unknown is passed over.

/** What one of these functions makes of a value, which throw AppError for what they can't read. */
const readBy = <V>(read: (given: unknown) => V) =>
  z
    .unknown()
    .optional()
    .transform((given, { addIssue }): V => {
      try {
        return read(given)
      } catch (fault) {
        if (!(fault instanceof AppError)) throw fault
        addIssue({ code: 'custom', message: fault.message })
        return z.NEVER
      }
    })
/** A whole number from 0 up to `most`; 0 for null. */
const upTo =
  (most: bigint) =>
  (given: unknown): bigint => {
    const value = wholeNumber(given ?? 0)
    if (value !== undefined && value >= 0n && value <= most) return value
    throw new AppError('INVALID_BODY', `expected a whole number from 0 to ${most}, as text or a number`)
  }
const nanos = upTo(2n ** 64n - 1n)
const count = upTo(2n ** 32n - 1n)
const Nanos = readBy(nanos)
const Count = readBy((given) => Number(count(given)))
const Enum = z
  .int()
  .nullish()
  .transform((number) => number ?? 0)
const Text = z
  .string()
  .nullish()
  .transform((text) => text ?? '')
const Hex = Text.transform((text) => text.toLowerCase())
const KeyValues = readBy(jsonAttributes)

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
    body: readBy((body) => (body === null || body === undefined ? undefined : jsonValue(body))),
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
