import { BinaryWriter } from '@bufbuild/protobuf/wire'
import type { LogRecord } from '../log-record.ts'
import { type Origin, originMembers, type Resource, type Scope } from '../origin.ts'
import { BYTES, FIXED32, FIXED64, VARINT } from '../otlp/wire-reader.ts'
import { SPAN_KINDS, type Span, type SpanEvent, type SpanLink } from '../span.ts'
import { endNanos, startNanos, statusMessage, timeNanos } from './nanos.ts'
import { writeAttributes, writeValue } from './value-writer.ts'

/** SeverityNumber of entries that say none (https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber). */
const SEVERITIES = { DEBUG: 5, INFO: 9, WARNING: 13, ERROR: 17, CRITICAL: 21 } as const
const STATUS_CODES = { ok: 1, error: 2 } as const

/** Spans as an ExportTraceServiceRequest. */
export function tracesRequest(spans: readonly Span[]): Uint8Array<ArrayBuffer> {
  return request(spans, writeSpan)
}

/** Log entries as an ExportLogsServiceRequest. */
export function logsRequest(records: readonly LogRecord[]): Uint8Array<ArrayBuffer> {
  return request(records, writeLogRecord)
}

/** What both kinds of items have. */
interface Item {
  readonly service: string
  readonly instance?: string | null | undefined
  readonly origin?: Origin
}

/** Groups items by where they come from: a group by resource, and in it one by scope, each. */
function request<T extends Item>(
  items: readonly T[],
  write: (writer: BinaryWriter, item: T) => void,
): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter()
  for (const group of Map.groupBy(items, groupOf).values()) {
    const [first] = group
    if (first === undefined) continue
    const { resource, scope } = first.origin ?? { resource: ownResource(first) }
    writer.tag(1, BYTES).fork()
    writeResource(writer, resource)
    writer.tag(2, BYTES).fork()
    writeScope(writer, scope)
    for (const item of group) {
      writer.tag(2, BYTES).fork()
      write(writer, item)
      writer.join()
    }
    writer.join()
    writer.join()
  }
  return writer.finish()
}

function groupOf({ origin, service, instance }: Item): string {
  return origin ? originMembers(origin) : `${instance ?? ''} ${service}`
}

/** The resource of what came without one. */
function ownResource({ service, instance }: Item): Resource {
  return { attributes: { 'service.name': service, ...(instance && { 'service.instance.id': instance }) } }
}

function writeResource(writer: BinaryWriter, resource: Resource = {}): void {
  writer.tag(1, BYTES).fork()
  writeAttributes(writer, 1, resource.attributes)
  writeCount(writer, 2, resource.dropped_attributes_count)
  writer.join()
  writeText(writer, 3, resource.schema_url)
}

function writeScope(writer: BinaryWriter, scope: Scope = {}): void {
  writer.tag(1, BYTES).fork()
  writeText(writer, 1, scope.name)
  writeText(writer, 2, scope.version)
  writeAttributes(writer, 3, scope.attributes)
  writeCount(writer, 4, scope.dropped_attributes_count)
  writer.join()
  writeText(writer, 3, scope.schema_url)
}

function writeSpan(writer: BinaryWriter, span: Span): void {
  const { details = {} } = span
  writeId(writer, 1, span.trace_id)
  writeId(writer, 2, span.span_id)
  writeText(writer, 3, details.trace_state)
  writeId(writer, 4, span.parent_span_id)
  writeText(writer, 5, span.operation)
  writeCount(writer, 6, SPAN_KINDS.indexOf(span.kind))
  writer.tag(7, FIXED64).fixed64(startNanos(span))
  writer.tag(8, FIXED64).fixed64(endNanos(span))
  writeAttributes(writer, 9, span.tags)
  writeCount(writer, 10, details.dropped_attributes_count)
  for (const event of details.events ?? []) writeEvent(writer, event)
  writeCount(writer, 12, details.dropped_events_count)
  for (const link of details.links ?? []) writeLink(writer, link)
  writeCount(writer, 14, details.dropped_links_count)
  writeStatus(writer, span)
  writeFlags(writer, 16, details.flags)
}

function writeEvent(writer: BinaryWriter, event: SpanEvent): void {
  writer.tag(11, BYTES).fork()
  writer.tag(1, FIXED64).fixed64(BigInt(event.time_unix_nano))
  writeText(writer, 2, event.name)
  writeAttributes(writer, 3, event.attributes)
  writeCount(writer, 4, event.dropped_attributes_count)
  writer.join()
}

function writeLink(writer: BinaryWriter, link: SpanLink): void {
  writer.tag(13, BYTES).fork()
  writeId(writer, 1, link.trace_id)
  writeId(writer, 2, link.span_id)
  writeText(writer, 3, link.trace_state)
  writeAttributes(writer, 4, link.attributes)
  writeCount(writer, 5, link.dropped_attributes_count)
  writeFlags(writer, 6, link.flags)
  writer.join()
}

function writeStatus(writer: BinaryWriter, span: Span): void {
  const code = span.details?.status_code ?? (span.status === 'error' ? 'error' : undefined)
  writer.tag(15, BYTES).fork()
  writeText(writer, 2, statusMessage(span))
  writeCount(writer, 3, code && STATUS_CODES[code])
  writer.join()
}

function writeLogRecord(writer: BinaryWriter, record: LogRecord): void {
  const { details = {} } = record
  writer.tag(1, FIXED64).fixed64(timeNanos(record))
  writeCount(writer, 2, details.severity_number ?? (record.details ? 0 : SEVERITIES[record.level]))
  writeText(writer, 3, details.severity_text ?? (record.details ? '' : record.level))
  const body = details.body === undefined ? record.message : details.body
  if (body !== null) {
    writer.tag(5, BYTES).fork()
    writeValue(writer, body)
    writer.join()
  }
  writeAttributes(writer, 6, record.metadata ?? undefined)
  writeCount(writer, 7, details.dropped_attributes_count)
  writeFlags(writer, 8, details.flags)
  writeId(writer, 9, record.trace_id)
  writeId(writer, 10, record.span_id)
  if (details.observed_time_unix_nano !== undefined) {
    writer.tag(11, FIXED64).fixed64(BigInt(details.observed_time_unix_nano))
  }
  writeText(writer, 12, details.event_name)
}

/** An id in hex; what is no id, as our own entries may have it, is left out. */
function writeId(writer: BinaryWriter, field: number, id: string | null | undefined): void {
  if (id && /^(?:[0-9a-f]{16}){1,2}$/.test(id)) writer.tag(field, BYTES).bytes(Buffer.from(id, 'hex'))
}

function writeText(writer: BinaryWriter, field: number, text = ''): void {
  if (text !== '') writer.tag(field, BYTES).string(text)
}

function writeCount(writer: BinaryWriter, field: number, count = 0): void {
  if (count > 0) writer.tag(field, VARINT).uint32(count)
}

function writeFlags(writer: BinaryWriter, field: number, flags = 0): void {
  if (flags !== 0) writer.tag(field, FIXED32).fixed32(flags)
}
