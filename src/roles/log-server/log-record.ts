import type { Level } from '../../kit/telemetry/log.ts'
import type { Attributes, Value } from './attribute-value.ts'
import type { Origin } from './origin.ts'

/** What not every log entry has. */
export interface LogDetails {
  /** When it happened, and when it was first seen, in nanoseconds since 1970. */
  readonly time_unix_nano?: string
  readonly observed_time_unix_nano?: string
  /** How severe its program called it: OpenTelemetry's number from 1 to 24, and a word of its own. */
  readonly severity_number?: number
  readonly severity_text?: string
  /** Its body where that is no text: the message is it as JSON. Null where it has none. */
  readonly body?: Value
  readonly event_name?: string
  readonly flags?: number
  readonly dropped_attributes_count?: number
}

/** A log entry as it is stored and sent on, in whatever form it came: without secrets. */
export interface LogRecord {
  /** Milliseconds since 1970. Default: when it came. */
  readonly timestamp?: number | null | undefined
  readonly level: Level
  readonly service: string
  readonly instance?: string | null | undefined
  readonly message: string
  readonly trace_id?: string | null | undefined
  readonly span_id?: string | null | undefined
  readonly metadata?: Attributes | null | undefined
  readonly details?: LogDetails
  readonly origin?: Origin
}
