import type { Verdict } from '../discovery/balancer.ts'

/** No connection came about in its time. */
export class ConnectTimeout extends Error {
  override readonly name = 'ConnectTimeout'

  /** @param ms how long was waited, milliseconds */
  constructor(ms: number) {
    super(`no connection within ${ms} ms`)
  }
}

/** The system's words for the same, after seconds of asking. A refusal (ECONNREFUSED) isn't among them: a machine that refuses is there, and says so at once. */
const UNANSWERED: ReadonlySet<unknown> = new Set(['EHOSTDOWN', 'EHOSTUNREACH', 'ETIMEDOUT'])

/**
 * What a failed request says of its instance: `unreachable` when this error, or one that caused it, is of a machine that doesn't answer at all, as when it
 * has lost power or its network, else `failure`.
 */
export function failureVerdict(thrown: unknown): Extract<Verdict, 'failure' | 'unreachable'> {
  for (let fault = thrown; fault instanceof Error; fault = fault.cause) {
    if (fault instanceof ConnectTimeout || ('code' in fault && UNANSWERED.has(fault.code))) return 'unreachable'
  }
  return 'failure'
}
