import type { LogRecord } from '../log-record.ts'
import type { Span } from '../span.ts'

/** When a span began, in nanoseconds since 1970; by its milliseconds, to the microsecond, where it says no more. */
export function startNanos({ start, details }: Span): bigint {
  return details?.start_unix_nano === undefined ? nanosOf(start) : BigInt(details.start_unix_nano)
}

/** When it ended. */
export function endNanos({ start, duration_ms, details }: Span): bigint {
  return details?.end_unix_nano === undefined ? nanosOf(start + duration_ms) : BigInt(details.end_unix_nano)
}

/** When an entry was written; 0 where nobody knows. */
export function timeNanos({ timestamp, details }: LogRecord): bigint {
  if (details !== undefined) return BigInt(details.time_unix_nano ?? 0)
  return nanosOf(timestamp ?? 0)
}

/** Why a span failed, in its program's words; the platform's own spans keep it among their tags. */
export function statusMessage({ status, tags, details }: Span): string {
  const { error } = tags
  return details?.status_message ?? (status === 'error' && typeof error === 'string' ? error : '')
}

function nanosOf(ms: number): bigint {
  return BigInt(Math.round(ms * 1_000)) * 1_000n
}
