import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../clock.ts'
import { meaningOf } from './errors.ts'

/** Milliseconds since the server went away for which what lost its connection is tried again; from then on callers are told at once to come back (503). */
const AWAY_MS = 2_000
/** The longest first wait, and the longest of all, milliseconds. */
const AWAY_FIRST_MS = 20
const AWAY_MOST_MS = 250
/** How often something is tried that meets what others change, and the longest waits before it is again. */
const MOST_CONFLICTS = 20
const CONFLICT_FIRST_MS = 2
const CONFLICT_MOST_MS = 100

/** Time and chance. */
export interface AttemptsOptions {
  readonly clock: Pick<Clock, 'monotonic'>
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Milliseconds since the server went away for which things are tried again. Default 2 000. */
  readonly awayMs?: number
}

/**
 * Runs things again that met another transaction's changes or lost their connection: at once, and then less and less often, up to 20 times, or for 2 s after
 * the server went away. All of a wait is drawn at random, so that those who met once don't meet again ("full jitter", AWS Architecture Blog, 2015).
 */
export class Attempts {
  readonly #options: AttemptsOptions
  /** When a connection was first lost, since anything last succeeded. */
  #awaySince: number | undefined
  #lastLoss: unknown

  constructor(options: AttemptsOptions) {
    this.#options = options
  }

  /** What the last connection was lost by, since anything last succeeded; undefined for none. */
  get lastLoss(): unknown {
    return this.#lastLoss
  }

  /**
   * Whether what failed may be run again in another way: it met others' changes, or lost its connection while the server had not been away for long.
   * @param began when it began, by the monotonic clock
   */
  mayRunAgain(fault: unknown, began: number): boolean {
    const meaning = meaningOf(fault)
    if (meaning !== 'lost') return meaning === 'conflicts'
    const { clock, awayMs = AWAY_MS } = this.#options
    this.#awaySince ??= began
    this.#lastLoss = fault
    return clock.monotonic() < this.#awaySince + awayMs
  }

  /**
   * Runs something until it succeeds or fails for good.
   * @param attempt told how often it met others' changes; it must have had no effect when it rejects with what `meaningOf` doesn't call final
   */
  async run<T>(attempt: (conflicts: number) => Promise<T>): Promise<T> {
    const { clock, random, awayMs = AWAY_MS } = this.#options
    let conflicts = 0
    for (let losses = 0; ; ) {
      const began = clock.monotonic()
      try {
        const result = await attempt(conflicts)
        this.#awaySince = undefined
        this.#lastLoss = undefined
        return result
      } catch (fault) {
        const meaning = meaningOf(fault)
        if (meaning === 'final') throw fault
        if (meaning === 'conflicts') {
          if (++conflicts === MOST_CONFLICTS) throw fault
          await sleep(random() * Math.min(CONFLICT_MOST_MS, CONFLICT_FIRST_MS * 2 ** conflicts))
        } else {
          this.#awaySince ??= began
          this.#lastLoss = fault
          const waitMs = random() * Math.min(AWAY_MOST_MS, AWAY_FIRST_MS * 2 ** losses++)
          if (clock.monotonic() + waitMs > this.#awaySince + awayMs) throw fault
          await sleep(waitMs)
        }
      }
    }
  }
}
