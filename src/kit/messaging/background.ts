import { runInScope } from '../telemetry/scope.ts'
import type { Tracing } from '../telemetry/tracing.ts'

/**
 * Starts a loop outside of the request that happens to start it: its own calls and log entries belong to a trace that isn't kept, since
 * polling is part of nobody's request.
 */
export function inBackground<T>(tracing: Tracing, name: string, work: () => T): T {
  const span = tracing.start(name, { kind: 'internal', parent: null, keep: false })
  return runInScope({ span, requestId: name }, work)
}
