import type { Span } from '../span.ts'
import { endNanos, startNanos, statusMessage } from './nanos.ts'

/** Kinds that Zipkin knows. */
const KINDS = { server: 'SERVER', client: 'CLIENT', producer: 'PRODUCER', consumer: 'CONSUMER' } as const

/**
 * Spans as Zipkin takes them at `POST /api/v2/spans` (https://zipkin.io/zipkin-api/#/default/post_spans), mapped as OpenTelemetry wants it
 * (https://opentelemetry.io/docs/specs/otel/trace/sdk_exporters/zipkin/).
 */
export function zipkinRequest(spans: readonly Span[]): string {
  return JSON.stringify(spans.map(zipkinSpan))
}

function zipkinSpan(span: Span) {
  const { trace_id, span_id, parent_span_id, operation, kind, service, details } = span
  const start = startNanos(span)
  return {
    traceId: trace_id,
    id: span_id,
    ...(parent_span_id && { parentId: parent_span_id }),
    name: operation,
    ...(Object.hasOwn(KINDS, kind) && { kind: KINDS[kind as keyof typeof KINDS] }),
    timestamp: micros(start),
    // Zipkin takes 0 for unknown
    duration: Math.max(1, micros(endNanos(span) - start)),
    localEndpoint: { serviceName: service },
    annotations: details?.events?.map(({ time_unix_nano, name, attributes }) => ({
      timestamp: micros(BigInt(time_unix_nano)),
      value: attributes === undefined ? name : `${JSON.stringify(name)}: ${JSON.stringify(attributes)}`,
    })),
    tags: tagsOf(span),
  }
}

function tagsOf(span: Span): Readonly<Record<string, string>> {
  const { tags, status, details = {}, origin: { resource, scope } = {} } = span
  const { 'service.name': _named, ...rest } = resource?.attributes ?? {}
  const code = status === 'error' ? 'ERROR' : details.status_code === 'ok' ? 'OK' : undefined
  return textsOf({
    ...rest,
    ...tags,
    ...(scope?.name !== undefined && { 'otel.scope.name': scope.name }),
    ...(scope?.version !== undefined && { 'otel.scope.version': scope.version }),
    ...(code && { 'otel.status_code': code }),
    // that it is there marks the span
    ...(status === 'error' && { error: statusMessage(span) || 'true' }),
    ...droppedOf(details),
  })
}

function droppedOf({
  dropped_attributes_count,
  dropped_events_count,
  dropped_links_count,
}: NonNullable<Span['details']>) {
  return {
    ...(dropped_attributes_count && { 'otel.dropped_attributes_count': dropped_attributes_count }),
    ...(dropped_events_count && { 'otel.dropped_events_count': dropped_events_count }),
    ...(dropped_links_count && { 'otel.dropped_links_count': dropped_links_count }),
  }
}

/** Zipkin's tags are texts. */
function textsOf(values: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  const entries = Object.entries(values).map(([key, value]) => [key, textOf(value)] as const)
  return Object.fromEntries(entries)
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  const json = JSON.stringify(value)
  return json.startsWith('"') ? String(JSON.parse(json)) : json
}

function micros(nanos: bigint): number {
  return nanos <= 0n ? 0 : Number((nanos + 500n) / 1_000n)
}
