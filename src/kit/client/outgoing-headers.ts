import { askerHeaders } from '../auth/asker.ts'
import type { Scope } from '../telemetry/scope.ts'
import { writeTraceContext } from '../telemetry/trace-context.ts'
import type { SpanContext } from '../telemetry/tracing.ts'

/** Milliseconds the caller goes on waiting; what is done after that is done for nobody. */
export const DEADLINE_HEADER = 'x-deadline-ms'

/**
 * The headers every call to another service has: W3C trace context, the seed's X-Trace-ID and X-Span-ID (9.7.9), the request's id,
 * who asks, and how long the caller waits. Compressed answers aren't asked for: between two processes of one
 * network packing costs more than it saves.
 * @param span the call's own span
 * @param scope what the call is made for
 * @param waitMs absent for a stream, which has no end to wait for
 */
export function outgoingHeaders(span: SpanContext, scope: Scope | undefined, waitMs?: number): Record<string, string> {
  const headers: Record<string, string> = {
    accept: 'application/json',
    'accept-encoding': 'identity',
    ...writeTraceContext(span),
    'x-trace-id': span.traceId,
    'x-span-id': span.spanId,
  }
  if (waitMs !== undefined) headers[DEADLINE_HEADER] = String(Math.max(1, Math.floor(waitMs)))
  if (!scope) return headers
  headers['x-request-id'] = scope.requestId
  return scope.asker ? Object.assign(headers, askerHeaders(scope.asker)) : headers
}
