import { isIdempotent } from '../http/methods.ts'
import type { Outcome } from './forward.ts'
import type { RequestBody } from './request-body.ts'

/** What decides whether a request may be sent once more. */
export interface RetrySituation {
  readonly outcome: Outcome
  readonly method: string
  readonly body: RequestBody['kind']
  /** Whether the client marked it as safe to repeat (draft-ietf-httpapi-idempotency-key-header). */
  readonly idempotencyKey: boolean
  /** Attempts made so far. */
  readonly attempts: number
  /** Attempts in all, the first included. */
  readonly most: number
  /** Whether an instance is left that it wasn't sent to. */
  readonly otherInstance: boolean
}

/**
 * Whether an attempt that brought no answer may be followed by another one. Where no connection came about nothing was sent, so any request
 * may go to another instance. Where the request was on its way it may have been carried out, so only one whose repetition changes
 * nothing (RFC 9110 §9.2.2), or that says so by an Idempotency-Key, goes out again, and only with its body at hand.
 */
export function mayRetry({
  outcome,
  method,
  body,
  idempotencyKey,
  attempts,
  most,
  otherInstance,
}: RetrySituation): boolean {
  if (attempts >= most) return false
  const repeatable = isRepeatable(method, body, idempotencyKey)
  switch (outcome.kind) {
    case 'refused':
      return otherInstance && (outcome.refusal.why === 'connect' || outcome.refusal.why === 'closed')
    case 'broken':
      return repeatable && (outcome.stale || otherInstance)
    case 'malformed':
    case 'timeout':
      return repeatable && otherInstance
    default:
      return false
  }
}

/** Whether a request may be sent again although it may have been carried out. */
export function isRepeatable(method: string, body: RequestBody['kind'], idempotencyKey: boolean): boolean {
  return (isIdempotent(method) || idempotencyKey) && body !== 'stream'
}
