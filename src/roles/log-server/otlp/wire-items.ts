import { attributesOf, type Value } from '../attribute-value.ts'
import type { OtlpEvent, OtlpLink, OtlpLogRecord, OtlpSpan } from './messages.ts'
import { BYTES, FIXED32, FIXED64, fieldTag, VARINT, type WireReader } from './wire-reader.ts'

/** Reads a span (opentelemetry/proto/trace/v1/trace.proto) that ends at `end`. Throws Error for what is no protobuf, AppError `BODY_TOO_LARGE`. */
export function readSpan(reader: WireReader, end: number): OtlpSpan {
  const attributes: [string, Value][] = []
  const events: OtlpEvent[] = []
  const links: OtlpLink[] = []
  const span = {
    traceId: '',
    spanId: '',
    parentSpanId: '',
    traceState: '',
    name: '',
    kind: 0,
    start: 0n,
    end: 0n,
    droppedAttributes: 0,
    droppedEvents: 0,
    droppedLinks: 0,
    status: { code: 0, message: '' },
    flags: 0,
  }
  reader.fields(end, (tag) => {
    switch (tag) {
      case fieldTag(1, BYTES):
        span.traceId = reader.hex()
        return true
      case fieldTag(2, BYTES):
        span.spanId = reader.hex()
        return true
      case fieldTag(3, BYTES):
        span.traceState = reader.string()
        return true
      case fieldTag(4, BYTES):
        span.parentSpanId = reader.hex()
        return true
      case fieldTag(5, BYTES):
        span.name = reader.string()
        return true
      case fieldTag(6, VARINT):
        span.kind = reader.int32()
        return true
      case fieldTag(7, FIXED64):
        span.start = reader.nanos()
        return true
      case fieldTag(8, FIXED64):
        span.end = reader.nanos()
        return true
      case fieldTag(9, BYTES):
        reader.keyValue(attributes)
        return true
      case fieldTag(10, VARINT):
        span.droppedAttributes = reader.uint32()
        return true
      case fieldTag(11, BYTES):
        events.push(readEvent(reader))
        return true
      case fieldTag(12, VARINT):
        span.droppedEvents = reader.uint32()
        return true
      case fieldTag(13, BYTES):
        links.push(readLink(reader))
        return true
      case fieldTag(14, VARINT):
        span.droppedLinks = reader.uint32()
        return true
      case fieldTag(15, BYTES):
        span.status = readStatus(reader)
        return true
      case fieldTag(16, FIXED32):
        span.flags = reader.fixed32()
        return true
      default:
        return false
    }
  })
  return { ...span, attributes: attributesOf(attributes), events, links }
}

function readEvent(reader: WireReader): OtlpEvent {
  const attributes: [string, Value][] = []
  const event = { time: 0n, name: '', droppedAttributes: 0 }
  reader.count()
  reader.message((tag) => {
    switch (tag) {
      case fieldTag(1, FIXED64):
        event.time = reader.nanos()
        return true
      case fieldTag(2, BYTES):
        event.name = reader.string()
        return true
      case fieldTag(3, BYTES):
        reader.keyValue(attributes)
        return true
      case fieldTag(4, VARINT):
        event.droppedAttributes = reader.uint32()
        return true
      default:
        return false
    }
  })
  return { ...event, attributes: attributesOf(attributes) }
}

function readLink(reader: WireReader): OtlpLink {
  const attributes: [string, Value][] = []
  const link = { traceId: '', spanId: '', traceState: '', droppedAttributes: 0, flags: 0 }
  reader.count()
  reader.message((tag) => {
    switch (tag) {
      case fieldTag(1, BYTES):
        link.traceId = reader.hex()
        return true
      case fieldTag(2, BYTES):
        link.spanId = reader.hex()
        return true
      case fieldTag(3, BYTES):
        link.traceState = reader.string()
        return true
      case fieldTag(4, BYTES):
        reader.keyValue(attributes)
        return true
      case fieldTag(5, VARINT):
        link.droppedAttributes = reader.uint32()
        return true
      case fieldTag(6, FIXED32):
        link.flags = reader.fixed32()
        return true
      default:
        return false
    }
  })
  return { ...link, attributes: attributesOf(attributes) }
}

function readStatus(reader: WireReader): OtlpSpan['status'] {
  const status = { code: 0, message: '' }
  reader.message((tag) => {
    if (tag === fieldTag(2, BYTES)) status.message = reader.string()
    else if (tag === fieldTag(3, VARINT)) status.code = reader.int32()
    else return false
    return true
  })
  return status
}

/** Reads a log record (opentelemetry/proto/logs/v1/logs.proto) that ends at `end`. Throws Error for what is no protobuf, AppError `BODY_TOO_LARGE`. */
export function readLogRecord(reader: WireReader, end: number): OtlpLogRecord {
  const attributes: [string, Value][] = []
  let body: Value | undefined
  const record = {
    time: 0n,
    observedTime: 0n,
    severityNumber: 0,
    severityText: '',
    droppedAttributes: 0,
    flags: 0,
    traceId: '',
    spanId: '',
    eventName: '',
  }
  reader.fields(end, (tag) => {
    switch (tag) {
      case fieldTag(1, FIXED64):
        record.time = reader.nanos()
        return true
      case fieldTag(2, VARINT):
        record.severityNumber = reader.int32()
        return true
      case fieldTag(3, BYTES):
        record.severityText = reader.string()
        return true
      case fieldTag(5, BYTES):
        body = reader.anyValue()
        return true
      case fieldTag(6, BYTES):
        reader.keyValue(attributes)
        return true
      case fieldTag(7, VARINT):
        record.droppedAttributes = reader.uint32()
        return true
      case fieldTag(8, FIXED32):
        record.flags = reader.fixed32()
        return true
      case fieldTag(9, BYTES):
        record.traceId = reader.hex()
        return true
      case fieldTag(10, BYTES):
        record.spanId = reader.hex()
        return true
      case fieldTag(11, FIXED64):
        record.observedTime = reader.nanos()
        return true
      case fieldTag(12, BYTES):
        record.eventName = reader.string()
        return true
      default:
        return false
    }
  })
  return { ...record, body, attributes: attributesOf(attributes) }
}
