import type { Clock } from '../../drivers/clock.ts'
import { backOff } from '../back-off.ts'

/** Longest pause, milliseconds. A service that asks for a longer one is left alone. */
const LONGEST_PAUSE_MS = 2_000

/** Thrown by an attempt that failed and may be made again after a pause; `reason` is the call's result when it isn't. */
export class TryAgain extends Error {
  override readonly name = 'TryAgain'
  readonly reason: unknown
  readonly afterMs: number

  constructor(reason: unknown, afterMs: number) {
    super('attempt failed')
    this.reason = reason
    this.afterMs = afterMs
  }
}

/**
 * Milliseconds to wait before trying again: the kit's back-off, from 100 ms, and not less than the service asked for by
 * Retry-After; undefined when it asked for more than 2 s.
 * @param attempt how many were made, from 1
 * @param retryAfter the header's value: seconds, or a date
 */
export function pauseBeforeRetry(
  attempt: number,
  retryAfter: string | undefined,
  { random, clock }: { random: () => number; clock: Clock },
): number | undefined {
  const asked = retryAfter === undefined ? 0 : parseRetryAfter(retryAfter, clock.now())
  return asked > LONGEST_PAUSE_MS ? undefined : Math.max(backOff(attempt, { mostMs: LONGEST_PAUSE_MS, random }), asked)
}

/** Milliseconds that a Retry-After header asks for (RFC 9110 §10.2.3); 0 for one that can't be read or lies in the past. */
export function parseRetryAfter(value: string, now: number): number {
  if (/^\s*\d{1,9}\s*$/.test(value)) return Number(value) * 1000
  const date = Date.parse(value)
  return Number.isNaN(date) ? 0 : Math.max(0, date - now)
}

/** Retries a client may make per call on the long run. */
const BUDGET_SHARE = 0.1
/** Most retries saved up by calls that needed none. */
const BUDGET_MOST = 100
/** Retries that a quiet client has at hand, and gets back, one a second. */
const BUDGET_FLOOR = 10

/**
 * Keeps retries under 10 % of a client's calls, so that a service in trouble isn't hit three times as hard (Google, "Site Reliability
 * Engineering", ch. 21). A client with few calls may still make 10, and one more each second.
 */
export class RetryBudget {
  readonly #clock: Clock
  #balance = BUDGET_FLOOR
  #refilledAt: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#refilledAt = clock.monotonic()
  }

  /** Counts a call. */
  deposit(): void {
    this.#balance = Math.min(BUDGET_MOST, this.#balance + BUDGET_SHARE)
  }

  /** Takes one retry out; false when there is none. */
  withdraw(): boolean {
    const now = this.#clock.monotonic()
    const refilled = this.#balance + (now - this.#refilledAt) / 1000
    this.#refilledAt = now
    if (this.#balance < BUDGET_FLOOR) this.#balance = Math.min(BUDGET_FLOOR, refilled)
    if (this.#balance < 1) return false
    this.#balance--
    return true
  }
}
