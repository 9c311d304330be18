import type { Clock } from '../../drivers/clock.ts'
import { AppError } from '../../kit/errors.ts'

/** How many, and how long. */
export interface SearchLimits {
  /** Searches that may be under way, half of them of one caller; one more is refused. Default 128. */
  readonly most?: number
  /** Milliseconds until a search has to do with what it has, waiting included. Default 2 000. */
  readonly patienceMs?: number
}

/** Who searches. */
export interface Searcher {
  readonly name: string
  /** Fires when nobody waits for the search any more. */
  readonly signal: AbortSignal
}

/** A search under way. */
export interface Search {
  /**
   * Takes a step of the search when its turn has come, and gives what the step gives. Undefined when that was too late: its time is over, or
   * its caller has gone.
   */
  step<T>(work: () => Promise<T>): Promise<T | undefined>
}

/** What a caller's searches under way have had together. */
interface CallerShare {
  searches: number
  usedMs: number
}

/** What one search has had, and until when it may want more. */
interface Share {
  usedMs: number
  readonly caller: CallerShare
  readonly over: AbortSignal
}

interface Waiter {
  readonly share: Share
  readonly go: (mayGo: boolean) => void
}

/**
 * Shares the store among searches: one step at a time, and the caller who has had least of it goes next, with the one of its searches that has had
 * least (least attained service, Kleinrock 1976). So a small question is answered at once, however many large ones are under way.
 */
export class Searches {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #most: number
  readonly #patienceMs: number
  readonly #waiting: Waiter[] = []
  readonly #callers = new Map<string, CallerShare>()
  #underWay = 0
  #stepping = false

  constructor(clock: Pick<Clock, 'monotonic'>, { most = 128, patienceMs = 2_000 }: SearchLimits = {}) {
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
   * @param headMs milliseconds it counts as having had when it begins: of those that begin, the one that asks for less goes first
   * @throws AppError `UNAVAILABLE` when too many are under way
   */
  async run<T>({ name, signal }: Searcher, search: (search: Search) => Promise<T>, headMs = 0): Promise<T> {
    if (this.#underWay >= this.#most) throw tooBusy(`${this.#most} searches are under way, which is all that may`)
    const caller = this.#callers.get(name) ?? { searches: 0, usedMs: 0 }
    if (caller.searches * 2 >= this.#most) throw tooBusy('This caller has all the searches under way that one may have')
    const over = AbortSignal.any([signal, AbortSignal.timeout(this.#patienceMs)])
    const share = { usedMs: headMs, caller, over }
    this.#callers.set(name, caller)
    caller.searches++
    this.#underWay++
    try {
      return await search({ step: (work) => this.#step(share, work) })
    } finally {
      this.#underWay--
      if (--caller.searches === 0) this.#callers.delete(name)
    }
  }

  async #step<T>(share: Share, work: () => Promise<T>): Promise<T | undefined> {
    if (!(await this.#turn(share))) return undefined
    const beganAt = this.#clock.monotonic()
    try {
      return await work()
    } finally {
      const ms = this.#clock.monotonic() - beganAt
      share.usedMs += ms
      share.caller.usedMs += ms
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
    let first = this.#waiting[0]
    for (const waiter of this.#waiting) if (first && comesBefore(waiter.share, first.share)) first = waiter
    this.#stepping = first !== undefined
    if (first === undefined) return
    this.#waiting.splice(this.#waiting.indexOf(first), 1)
    first.go(true)
  }
}

function comesBefore(a: Share, b: Share): boolean {
  return a.caller.usedMs === b.caller.usedMs ? a.usedMs < b.usedMs : a.caller.usedMs < b.caller.usedMs
}

/** The error of a search that can't be made now. */
export function tooBusy(detail: string): AppError {
  return new AppError('UNAVAILABLE', 'Too many searches are under way', { detail, headers: { 'retry-after': '1' } })
}
