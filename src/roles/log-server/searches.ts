import type { Clock } from '../../drivers/clock.ts'
import { AppError } from '../../kit/errors.ts'

/** How many, and how long. */
export interface SearchLimits {
  /** Searches that may be under way; one more is refused. Default 64. */
  readonly most?: number
  /** Milliseconds until a search has to do with what it has, waiting included. Default 2 000. */
  readonly patienceMs?: number
}

/** A search under way. */
export interface Search {
  /**
   * Takes a step of the search when its turn has come, and gives what the step gives. Undefined when that was too late: its time is over, or
   * its caller has gone.
   */
  step<T>(work: () => Promise<T>): Promise<T | undefined>
}

/** What one search has had, and until when it may want more. */
interface Share {
  usedMs: number
  readonly over: AbortSignal
}

interface Waiter {
  readonly share: Share
  readonly go: (mayGo: boolean) => void
}

/**
 * Shares the store among searches: one step at a time, and the search that has had least of it goes next (least attained service, Kleinrock 1976).
 * So a small question is answered at once, however many large ones are under way.
 */
export class Searches {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #most: number
  readonly #patienceMs: number
  readonly #waiting: Waiter[] = []
  #underWay = 0
  #stepping = false

  constructor(clock: Pick<Clock, 'monotonic'>, { most = 64, patienceMs = 2_000 }: SearchLimits = {}) {
    this.#clock = clock
    this.#most = most
    this.#patienceMs = patienceMs
  }

  /** Searches under way now, the waiting ones too. */
  get underWay(): number {
    return this.#underWay
  }

  /**
   * Runs a search, which takes its steps when it is told to.
   * @param signal fires when nobody waits for it any more
   * @param headMs milliseconds it counts as having had when it begins: of those that begin, the one that asks for less goes first
   * @throws AppError `UNAVAILABLE` when too many are under way
   */
  async run<T>(signal: AbortSignal, search: (search: Search) => Promise<T>, headMs = 0): Promise<T> {
    if (this.#underWay >= this.#most) throw tooBusy(`${this.#most} searches are under way, which is all that may`)
    const share = { usedMs: headMs, over: AbortSignal.any([signal, AbortSignal.timeout(this.#patienceMs)]) }
    this.#underWay++
    try {
      return await search({ step: (work) => this.#step(share, work) })
    } finally {
      this.#underWay--
    }
  }

  async #step<T>(share: Share, work: () => Promise<T>): Promise<T | undefined> {
    if (!(await this.#turn(share))) return undefined
    const beganAt = this.#clock.monotonic()
    try {
      return await work()
    } finally {
      share.usedMs += this.#clock.monotonic() - beganAt
      this.#next()
    }
  }

  /** Waits for a turn; false when the search is over before. */
  async #turn(share: Share): Promise<boolean> {
    if (share.over.aborted) return false
    if (!this.#stepping) {
      this.#stepping = true
      return true
    }
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const waiter = { share, go: resolve }
    const leave = () => {
      const at = this.#waiting.indexOf(waiter)
      if (at >= 0) this.#waiting.splice(at, 1)
      resolve(false)
    }
    this.#waiting.push(waiter)
    share.over.addEventListener('abort', leave, { once: true })
    const mayGo = await promise
    share.over.removeEventListener('abort', leave)
    return mayGo
  }

  #next(): void {
    const least = Math.min(...this.#waiting.map(({ share }) => share.usedMs))
    const [waiter] = this.#waiting.splice(
      this.#waiting.findIndex(({ share }) => share.usedMs === least),
      1,
    )
    this.#stepping = waiter !== undefined
    waiter?.go(true)
  }
}

/** The error of a search that can't be made now. */
export function tooBusy(detail: string): AppError {
  return new AppError('UNAVAILABLE', 'Too many searches are under way', { detail, headers: { 'retry-after': '1' } })
}
