import type { Clock } from '../clock.ts'

/** Longest single timer; Node takes no more than 2^31 ms. A later time is reached in steps. */
const MOST_MS = 86_400_000

/** One timer for everything that waits for a time: it rings at the earliest one asked for. */
export class Alarm {
  readonly #clock: Clock
  readonly #ring: () => void
  #at = Number.POSITIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  /** @param ring is called at or after the time; it sets the next one. */
  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock
    this.#ring = ring
  }

  /** Makes it ring at `time` (monotonic milliseconds) unless it rings earlier anyway. */
  set(time: number): void {
    if (time >= this.#at) return
    this.#at = time
    clearTimeout(this.#timer)
    const delay = Math.min(Math.max(0, Math.ceil(time - this.#clock.monotonic())), MOST_MS)
    this.#timer = setTimeout(() => {
      this.#at = Number.POSITIVE_INFINITY
      this.#ring()
    }, delay)
  }

  /** Never rings again. */
  stop(): void {
    this.#at = Number.NEGATIVE_INFINITY
    clearTimeout(this.#timer)
  }
}
