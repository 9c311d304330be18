import { hideInText } from '../../../kit/secrets/secret-text.ts'
import { MAX_DETAILS, MAX_TEXT } from '../contract.ts'
import { SPAN_KINDS, type Span, type SpanDetails, type SpanEvent, type SpanLink } from '../span.ts'
import { type Adopted, hideAttributes, present } from './adopting.ts'
import { idShown, isSpanId, isTraceId, NO_ID } from './ids.ts'
import type { OtlpEvent, OtlpLink, OtlpSpan } from './messages.ts'

/** STATUS_CODE_OK and STATUS_CODE_ERROR; 0 is neither. */
const STATUS_CODES = [undefined, 'ok', 'error'] as const
const MAX_OPERATION = 1_024

/** A span of OTLP as one of ours, its secrets hidden. A text says why it isn't taken. */
export function adoptSpan(span: OtlpSpan, { service, origin }: Adopted): Span | string {
  const { traceId, spanId, parentSpanId, start, end } = span
  if (!isTraceId(traceId))
    return `its trace id is ${idShown(traceId)}: 32 hexadecimal digits are wanted, not all of them 0`
  if (!isSpanId(spanId)) return `its span id is ${idShown(spanId)}: 16 hexadecimal digits are wanted, not all of them 0`
  if (!isSpanId(parentSpanId) && !NO_ID.test(parentSpanId))
    return `its parent's id is ${idShown(parentSpanId)}: 16 hexadecimal digits are wanted`
  if (start === 0n) return 'it has no start'
  if (span.name.length > MAX_OPERATION) return `its name has more than ${MAX_OPERATION} characters`
  const tags = hideAttributes(span.attributes)
  if (JSON.stringify(tags).length > MAX_TEXT) return `its attributes have more than ${MAX_TEXT} characters as JSON`
  const details = detailsOf(span)
  if (JSON.stringify(details).length > MAX_DETAILS)
    return `its events and links have more than ${MAX_DETAILS} characters as JSON`
  return {
    trace_id: traceId,
    span_id: spanId,
    parent_span_id: isSpanId(parentSpanId) ? parentSpanId : null,
    service,
    operation: hideInText(span.name),
    kind: SPAN_KINDS[span.kind] ?? 'unspecified',
    start: Number(start) / 1e6,
    duration_ms: end > start ? Number(end - start) / 1e6 : 0,
    status: span.status.code === 2 ? 'error' : 'ok',
    tags,
    details,
    origin,
  }
}

function detailsOf(span: OtlpSpan): SpanDetails {
  const code = STATUS_CODES[span.status.code]
  return {
    start_unix_nano: String(span.start),
    end_unix_nano: String(span.end),
    ...present({
      trace_state: hideInText(span.traceState),
      flags: span.flags,
      status_message: hideInText(span.status.message),
      events: span.events.map(eventOf),
      links: span.links.map(linkOf),
      dropped_attributes_count: span.droppedAttributes,
      dropped_events_count: span.droppedEvents,
      dropped_links_count: span.droppedLinks,
    }),
    ...(code && { status_code: code }),
  }
}

function eventOf({ time, name, attributes, droppedAttributes }: OtlpEvent): SpanEvent {
  return {
    time_unix_nano: String(time),
    name: hideInText(name),
    ...present({ attributes: hideAttributes(attributes), dropped_attributes_count: droppedAttributes }),
  }
}

function linkOf({ traceId, spanId, traceState, attributes, droppedAttributes, flags }: OtlpLink): SpanLink {
  return {
    trace_id: traceId,
    span_id: spanId,
    ...present({
      trace_state: hideInText(traceState),
      attributes: hideAttributes(attributes),
      dropped_attributes_count: droppedAttributes,
      flags,
    }),
  }
}
