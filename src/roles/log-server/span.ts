import type { Attributes } from './attribute-value.ts'
import type { Origin } from './origin.ts'

/** Something that happened within a span. */
export interface SpanEvent {
  readonly time_unix_nano: string
  readonly name: string
  readonly attributes?: Attributes
  readonly dropped_attributes_count?: number
}

/** Another span, of this trace or another one, that a span has to do with. */
export interface SpanLink {
  readonly trace_id: string
  readonly span_id: string
  readonly trace_state?: string
  readonly attributes?: Attributes
  readonly dropped_attributes_count?: number
  readonly flags?: number
}

/** What not every span has. */
export interface SpanDetails {
  /** Start and end in nanoseconds since 1970. */
  readonly start_unix_nano?: string
  readonly end_unix_nano?: string
  readonly trace_state?: string
  readonly flags?: number
  /** What its program said of it itself: a span of which it said nothing has the status `ok` too. */
  readonly status_code?: 'ok' | 'error'
  readonly status_message?: string
  readonly events?: readonly SpanEvent[]
  readonly links?: readonly SpanLink[]
  readonly dropped_attributes_count?: number
  readonly dropped_events_count?: number
  readonly dropped_links_count?: number
}

/** What a span is on either end of, by OTLP's number. */
export const SPAN_KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'] as const

/** A finished span as it is stored and sent on, in whatever form it came: without secrets. */
export interface Span {
  readonly trace_id: string
  readonly span_id: string
  readonly parent_span_id?: string | null | undefined
  readonly service: string
  readonly operation: string
  readonly kind: (typeof SPAN_KINDS)[number]
  /** Milliseconds since 1970, with a fraction. */
  readonly start: number
  readonly duration_ms: number
  readonly status: 'ok' | 'error'
  readonly tags: Attributes
  readonly details?: SpanDetails
  readonly origin?: Origin
}
