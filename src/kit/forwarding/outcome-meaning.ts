import type { Verdict } from '../discovery/balancer.ts'
import { AppError } from '../errors.ts'
import { failureVerdict } from '../upstream/unreachable.ts'
import type { Outcome } from './forward.ts'
import type { Way } from './forwarder.ts'

/** Outcomes after which the client still waits for an answer. */
export type Failure = Exclude<Outcome, { kind: 'answered' | 'client-gone' | 'cut' | 'ended' }>

/** What an outcome says about the instance, for the balancer: `cancelled` where it is not to blame. */
export function blame(outcome: Outcome): Verdict {
  switch (outcome.kind) {
    case 'answered':
      return outcome.status < 500 ? 'success' : 'failure'
    case 'cut':
    case 'malformed':
    case 'timeout':
      return 'failure'
    case 'broken':
      return outcome.stale ? 'cancelled' : 'failure'
    case 'refused':
      return outcome.refusal.why === 'connect' ? failureVerdict(outcome.refusal.cause) : 'cancelled'
    default:
      return 'cancelled'
  }
}

/** What the client is told of a failure: enough to know whose it is, and nothing of what is inside. */
export function errorOf(
  outcome: Failure,
  { upstream, body_limit, deadline_ms, body_stall_ms = deadline_ms }: Way,
): AppError {
  switch (outcome.kind) {
    case 'body-too-large':
      return new AppError('BODY_TOO_LARGE', `The body is larger than ${body_limit} bytes`)
    case 'client-slow':
      return new AppError('INVALID_BODY', `The body did not arrive within ${body_stall_ms} ms`)
    case 'timeout':
      return new AppError('UPSTREAM_TIMEOUT', 'Gateway timeout', { detail: `${upstream} did not answer in time` })
    case 'broken':
      return unavailable('UPSTREAM_FAILED', 'Bad gateway', `${upstream} broke off before it answered`, outcome.cause)
    case 'malformed': {
      const detail = `${upstream} sent a malformed answer: ${outcome.cause.message}`
      return unavailable('UPSTREAM_FAILED', 'Bad gateway', detail, outcome.cause)
    }
    case 'refused': {
      const { refusal } = outcome
      if (refusal.why === 'connect') {
        return unavailable('UPSTREAM_FAILED', 'Bad gateway', `${upstream} could not be reached`, refusal.cause)
      }
      if (refusal.why === 'share') {
        return unavailable(
          'RATE_LIMITED',
          'Too many requests',
          `${upstream} is busy with other requests of this caller`,
        )
      }
      return unavailable('UNAVAILABLE', 'Service unavailable', `${upstream} has too much to do at the moment`)
    }
  }
}

/** What the client is told when discovery knows no instance of a service. */
export function noInstance(upstream: string): AppError {
  return unavailable('UNREACHABLE', 'Service unavailable', `No ${upstream} is running at the moment`)
}

/** What the client is told while all instances of a service are held back, since they failed. */
export function heldBack(upstream: string): AppError {
  const detail = `${upstream} has failed too often; it is asked again as soon as it says that it is ready`
  return unavailable('CIRCUIT_OPEN', 'Service unavailable', detail)
}

function unavailable(
  code: 'CIRCUIT_OPEN' | 'UPSTREAM_FAILED' | 'UNAVAILABLE' | 'UNREACHABLE' | 'RATE_LIMITED',
  message: string,
  detail: string,
  cause?: Error,
) {
  const headers = code === 'UPSTREAM_FAILED' ? undefined : { 'retry-after': '1' }
  return new AppError(code, message, { detail, ...(cause && { cause }), ...(headers && { headers }) })
}
