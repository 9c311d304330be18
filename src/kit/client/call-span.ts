import { AppError } from '../errors.ts'
import type { Scope } from '../telemetry/scope.ts'
import type { ActiveSpan, Tracing } from '../telemetry/tracing.ts'

/** What a call's span tells. */
export interface CallFacts {
  readonly method: string
  readonly service: string
  /** Path and query. */
  readonly target: string
  readonly attempts: number
  readonly status: number | undefined
}

/**
 * Starts the client span of a call. One that is made for nobody's request, such as the platform's own polling, is not kept.
 */
export function startCallSpan(tracing: Tracing, method: string, service: string, scope: Scope | undefined): ActiveSpan {
  const name = `${method} ${service}`
  return scope
    ? tracing.start(name, { kind: 'client', parent: scope.span })
    : tracing.start(name, { kind: 'client', parent: null, keep: false })
}

/** Ends it, with the attributes of OpenTelemetry's HTTP conventions. An answer that blames the caller (4xx) is no failure of the call. */
export function endCallSpan(span: ActiveSpan, facts: CallFacts, fault?: unknown): void {
  const failed = fault !== undefined && !(fault instanceof AppError && fault.status < 500)
  if (!span.sampled && !failed) return
  const { method, service, target, attempts, status } = facts
  span.end({
    failed,
    ...(fault instanceof Error && { message: fault.message }),
    attributes: {
      'http.request.method': method,
      'peer.service': service,
      'url.path': pathOf(target),
      ...(status !== undefined && { 'http.response.status_code': status }),
      ...(attempts > 1 && { 'http.request.resend_count': attempts - 1 }),
    },
  })
}

/** Without the query, which may hold what a trace should not. */
function pathOf(target: string): string {
  const query = target.indexOf('?')
  return query < 0 ? target : target.slice(0, query)
}
