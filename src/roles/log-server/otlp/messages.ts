import type { Attributes, Value } from '../attribute-value.ts'

// What OTLP/HTTP carries (opentelemetry-proto 1.x, trace.proto and logs.proto), as both encodings are read: ids are lower-case hex, times nanoseconds
// since 1970, what is absent has proto3's default.

/** Whoever telemetry comes from. Filled as it is read: it may stand behind what came from it. */
export interface OtlpResource {
  attributes: Attributes
  droppedAttributes: number
  schemaUrl: string
}

/** The part of a program that telemetry comes from, and its resource. */
export interface OtlpScope {
  readonly resource: OtlpResource
  name: string
  version: string
  attributes: Attributes
  droppedAttributes: number
  schemaUrl: string
}

/** Something that happened within a span. */
export interface OtlpEvent {
  readonly time: bigint
  readonly name: string
  readonly attributes: Attributes
  readonly droppedAttributes: number
}

/** Another span that a span has to do with. */
export interface OtlpLink {
  readonly traceId: string
  readonly spanId: string
  readonly traceState: string
  readonly attributes: Attributes
  readonly droppedAttributes: number
  readonly flags: number
}

/** A span. */
export interface OtlpSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly traceState: string
  readonly name: string
  readonly kind: number
  readonly start: bigint
  readonly end: bigint
  readonly attributes: Attributes
  readonly droppedAttributes: number
  readonly events: readonly OtlpEvent[]
  readonly droppedEvents: number
  readonly links: readonly OtlpLink[]
  readonly droppedLinks: number
  readonly status: { readonly code: number; readonly message: string }
  readonly flags: number
}

/** A log record. Its body is undefined where it has none. */
export interface OtlpLogRecord {
  readonly time: bigint
  readonly observedTime: bigint
  readonly severityNumber: number
  readonly severityText: string
  readonly body: Value | undefined
  readonly attributes: Attributes
  readonly droppedAttributes: number
  readonly flags: number
  readonly traceId: string
  readonly spanId: string
  readonly eventName: string
}

/** A resource of which nothing is known yet. */
export function newResource(): OtlpResource {
  return { attributes: {}, droppedAttributes: 0, schemaUrl: '' }
}

/** A scope of which nothing is known yet. */
export function newScope(resource: OtlpResource): OtlpScope {
  return { resource, name: '', version: '', attributes: {}, droppedAttributes: 0, schemaUrl: '' }
}
