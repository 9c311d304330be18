import type { Clock } from '../../drivers/clock.ts'
import { LruMap } from '../../drivers/lru-map.ts'

/** Most answers kept by one client. */
const LIMIT = 1_000

interface Kept {
  readonly value: unknown
  /** Monotonic milliseconds. */
  readonly until: number
}

/** The last good answers of a service, for when it can't answer. The one unused longest goes first. */
export class LastGood {
  readonly #clock: Clock
  readonly #answers = new LruMap<string, Kept>(LIMIT)

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Keeps an answer for `forMs` milliseconds. */
  keep(key: string, value: unknown, forMs: number): void {
    this.#answers.set(key, { value, until: this.#clock.monotonic() + forMs })
  }

  /** The answer in a box, since it may be any value; undefined when there is none or it is too old. */
  find(key: string): { readonly value: unknown } | undefined {
    const kept = this.#answers.get(key)
    if (kept && this.#clock.monotonic() >= kept.until) {
      this.#answers.delete(key)
      return undefined
    }
    return kept
  }
}
