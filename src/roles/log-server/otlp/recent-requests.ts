import { hash } from 'node:crypto'
import type { Clock } from '../../../drivers/clock.ts'

/** How long requests are remembered, and how many. */
export interface RecentRequestsOptions {
  readonly clock: Pick<Clock, 'monotonic'>
  /** Milliseconds after which a request may come again. Default ten minutes: longer than exporters try. */
  readonly keptMs?: number
  /** Requests remembered at most, some 300 bytes each. Default 16 384. */
  readonly most?: number
}

/** How far a request has come. */
export interface Progress {
  /** Items of it that are stored. */
  stored: number
}

interface Remembered<T> {
  readonly at: number
  readonly progress: Progress
  /** What became of it; undefined after it failed half way. */
  outcome: Promise<T> | undefined
}

/**
 * Sees to it that a request which is sent again is stored once: log records have no ids, and whoever didn't hear the answer sends all of them again. The
 * same bytes of the same caller are the same request. While one is under way its repetition waits for the same outcome; what failed half way goes on there.
 */
export class RecentRequests<T> {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #keptMs: number
  readonly #most: number
  /** The oldest first. */
  readonly #known = new Map<string, Remembered<T>>()

  constructor({ clock, keptMs = 600_000, most = 16_384 }: RecentRequestsOptions) {
    this.#clock = clock
    this.#keptMs = keptMs
    this.#most = most
  }

  /** Works on a request, or gives what became of the same one. Rejects with what `work` throws. */
  once(caller: string, body: Uint8Array, work: (progress: Progress) => Promise<T>): Promise<T> {
    this.#forgetOld()
    const key = `${hash('sha256', body, 'base64')} ${caller}`
    const known = this.#known.get(key)
    if (known?.outcome) return known.outcome
    const progress = known?.progress ?? { stored: 0 }
    const begun: Remembered<T> = { at: this.#clock.monotonic(), progress, outcome: undefined }
    const outcome = work(progress).catch((fault: unknown) => {
      begun.outcome = undefined
      if (progress.stored === 0 && this.#known.get(key) === begun) this.#known.delete(key)
      throw fault
    })
    begun.outcome = outcome
    this.#known.delete(key)
    this.#known.set(key, begun)
    return outcome
  }

  #forgetOld(): void {
    const since = this.#clock.monotonic() - this.#keptMs
    for (const [key, { at }] of this.#known) {
      if (at >= since && this.#known.size < this.#most) return
      this.#known.delete(key)
    }
  }
}
