import { AppError } from '../errors.ts'
import { pause } from '../pause.ts'
import type { Exchange } from './exchange.ts'
import { isProbe } from './probes.ts'
import { answerProblem } from './problem.ts'

/** Most requests that wait in front of a shut door: what a role takes in some ten seconds. */
const MOST_WAITING = 4_096
/** The longest that one of them waits, milliseconds: the shortest time that a caller of ours has for an answer. */
const LONGEST_MS = 5_000
/** Between two looks at whether those under way have ended, milliseconds. */
const LOOK_MS = 2

/** The requests that one run of a role has under way; probes are not among them. */
export class Traffic {
  #count = 0

  get count(): number {
    return this.#count
  }

  /** A request begins; what it returns is to be called once, when it is over. */
  enter(): () => void {
    this.#count++
    return () => {
      this.#count--
    }
  }

  /**
   * Resolves with true as soon as no more than `rest` requests are under way, with false after `ms` milliseconds.
   * @param rest those that need not be waited for, such as streams; asked again and again
   */
  async quiet(rest: () => number, ms: number): Promise<boolean> {
    const late = AbortSignal.timeout(Math.ceil(ms))
    while (this.#count > rest()) {
      if (late.aborted) return false
      await pause(LOOK_MS, late)
    }
    return true
  }
}

/** How a door is. */
type State =
  | { readonly at: 'open'; readonly traffic: Traffic }
  | { readonly at: 'shut'; readonly waiting: Set<Waiting> }
  | { readonly at: 'closed'; readonly why: AppError }

/** A request that waits, and what is to be done with it. */
interface Waiting {
  readonly exchange: Exchange
  readonly go: () => void
  readonly timer: NodeJS.Timeout
}

/** For how much and how long a door keeps requests waiting. */
export interface DoorLimits {
  /** Default 4 096; one more is answered 503. */
  readonly most?: number
  /** Milliseconds. Default 5 000; who waits longer is answered 503. */
  readonly longestMs?: number
}

/**
 * What requests pass on their way to a role, so that the role behind it can be exchanged while its port stays open: while it is shut they wait, and
 * go on in their order to whatever is there when it opens. It begins shut. Probes pass always.
 */
export class Door {
  readonly #most: number
  readonly #longestMs: number
  #state: State = { at: 'shut', waiting: new Set() }

  constructor({ most = MOST_WAITING, longestMs = LONGEST_MS }: DoorLimits = {}) {
    this.#most = most
    this.#longestMs = longestMs
  }

  /** Requests that wait now. */
  get waiting(): number {
    return this.#state.at === 'shut' ? this.#state.waiting.size : 0
  }

  /** Lets a request through, now or later: `go` is called once, or the request is answered 503. */
  pass(exchange: Exchange, go: () => void): void {
    if (isProbe(exchange.path)) go()
    else if (this.#state.at === 'open') enter(exchange, this.#state.traffic, go)
    else if (this.#state.at === 'closed') refuse(exchange, this.#state.why)
    else if (this.#state.waiting.size >= this.#most) refuse(exchange, tooMany(this.#most))
    else this.#wait(this.#state.waiting, exchange, go)
  }

  /** From now on requests wait. */
  shut(): void {
    if (this.#state.at === 'open') this.#state = { at: 'shut', waiting: new Set() }
  }

  /** Lets those through that wait, and those that come. @param traffic what counts them */
  open(traffic: Traffic): void {
    if (this.#state.at === 'closed') return
    const waiting = this.#leave()
    this.#state = { at: 'open', traffic }
    for (const { exchange, go } of waiting) enter(exchange, traffic, go)
  }

  /** A shut one never opens again: those that wait are answered with `why`, and so are those that come. One that is open stays so. */
  close(why: AppError): void {
    if (this.#state.at !== 'shut') return
    const waiting = this.#leave()
    this.#state = { at: 'closed', why }
    for (const { exchange } of waiting) refuse(exchange, why)
  }

  #wait(waiting: Set<Waiting>, exchange: Exchange, go: () => void): void {
    const timer = setTimeout(() => {
      waiting.delete(one)
      refuse(exchange, tooLong(this.#longestMs))
    }, this.#longestMs)
    const one = { exchange, go, timer }
    waiting.add(one)
    exchange.outgoing.once('close', () => {
      clearTimeout(timer)
      waiting.delete(one)
    })
  }

  #leave(): readonly Waiting[] {
    if (this.#state.at !== 'shut') return []
    const waiting = [...this.#state.waiting]
    this.#state.waiting.clear()
    for (const { timer } of waiting) clearTimeout(timer)
    return waiting
  }
}

function enter(exchange: Exchange, traffic: Traffic, go: () => void): void {
  exchange.outgoing.once('close', traffic.enter())
  go()
}

function refuse(exchange: Exchange, why: AppError): void {
  exchange.refused = true
  if (!exchange.outgoing.destroyed) answerProblem(exchange, why)
}

function tooMany(most: number): AppError {
  return new AppError('UNAVAILABLE', `What is behind this address is being moved, and ${most} requests wait for it`)
}

function tooLong(ms: number): AppError {
  return new AppError('UNAVAILABLE', `What is behind this address is being moved, which takes longer than ${ms} ms`)
}
