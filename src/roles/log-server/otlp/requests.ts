import type * as z from 'zod'
import type { LogRecord } from '../log-record.ts'
import type { Span } from '../span.ts'
import { adoptLogRecord } from './adopt-log-record.ts'
import { adoptSpan } from './adopt-span.ts'
import type { Adopted } from './adopting.ts'
import { JsonLogRecord, JsonSpan } from './json-items.ts'
import { type JsonNames, walkJson } from './json-walk.ts'
import type { OtlpLogRecord, OtlpSpan } from './messages.ts'
import type { Walked } from './walked.ts'
import { readLogRecord, readSpan } from './wire-items.ts'
import { type ReadWireItem, walkWire } from './wire-walk.ts'

/** How a request, and its answer, is written. */
export type Encoding = 'protobuf' | 'json'

/** A kind of telemetry that is stored: how its requests are read, and what becomes of an item. */
export interface Signal<I, T> {
  /** What its items are called, to people. */
  readonly plural: string
  /** What the count of those that aren't taken is called in an answer. */
  readonly counted: string
  readonly names: JsonNames
  readonly fromJson: z.ZodType<I>
  readonly fromWire: ReadWireItem<I>
  /** An item as one of ours. A text says why it isn't taken. */
  readonly adopt: (item: I, from: Adopted) => T | string
}

/** Spans. */
export const TRACES: Signal<OtlpSpan, Span> = {
  plural: 'spans',
  counted: 'rejectedSpans',
  names: ['resourceSpans', 'scopeSpans', 'spans'],
  fromJson: JsonSpan,
  fromWire: readSpan,
  adopt: adoptSpan,
}

/** Log records. */
export const LOGS: Signal<OtlpLogRecord, LogRecord> = {
  plural: 'log records',
  counted: 'rejectedLogRecords',
  names: ['resourceLogs', 'scopeLogs', 'logRecords'],
  fromJson: JsonLogRecord,
  fromWire: readLogRecord,
  adopt: adoptLogRecord,
}

/** Goes through a request of a signal, item by item. Throws AppError `INVALID_BODY`, `BODY_TOO_LARGE`. */
export function walkRequest<I>(
  body: Buffer,
  encoding: Encoding,
  { names, fromJson, fromWire }: Pick<Signal<I, unknown>, 'names' | 'fromJson' | 'fromWire'>,
): Generator<Walked<I>> {
  return encoding === 'json' ? walkJson(body, names, fromJson) : walkWire(body, fromWire)
}
