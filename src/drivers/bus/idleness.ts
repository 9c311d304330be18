/** Use is written down when what is written is a fourth of the term old: a restart gives a subscription at most that much more. */
const NOTES = 4
/** And no more often than so, in milliseconds. It is also what one has at least after a start: its users had no broker meanwhile. */
const GRACE_MS = 60_000

/** What the idleness of a subscription is reckoned from. */
export interface IdlenessOptions {
  readonly expiresAfterMs: number | undefined
  /** When it was last in use, as far as it was written down: wall clock. */
  readonly activeAt: number
  /** Wall clock. */
  readonly now: number
  readonly monotonic: number
}

/**
 * Since when nobody has used a subscription. While the process runs the monotonic clock decides, so that a wall clock that jumps ends nobody;
 * over a restart the wall clock does, as it alone goes on, with a minute's grace for one that was set forward. Times are monotonic.
 */
export class Idleness {
  #since: number
  /** The use that is written down. */
  #noted: number

  constructor({ expiresAfterMs = 0, activeAt, now, monotonic }: IdlenessOptions) {
    const idle = Math.max(0, now - activeAt)
    const counted = Math.min(idle - noteEvery(expiresAfterMs), expiresAfterMs - GRACE_MS)
    this.#since = monotonic - Math.max(0, counted)
    this.#noted = monotonic - idle
  }

  /** It is in use. Returns whether that is worth writing down. */
  end(expiresAfterMs: number | undefined, now: number): boolean {
    this.#since = now
    return expiresAfterMs !== undefined && now - this.#noted >= noteEvery(expiresAfterMs)
  }

  /** Its use up to now is written down. */
  note(now: number): void {
    this.#noted = now
  }

  /** When it has been idle for as long as it may; Infinity when it may for ever. */
  overAt(expiresAfterMs: number | undefined): number {
    return this.#since + (expiresAfterMs ?? Number.POSITIVE_INFINITY)
  }
}

function noteEvery(expiresAfterMs: number): number {
  return Math.max(expiresAfterMs / NOTES, GRACE_MS)
}
