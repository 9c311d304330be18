import type { Context } from 'hono'
import { AppError } from '../errors.ts'
import type { AppEnv } from './app-env.ts'
import { callerName } from './caller-name.ts'
import { type QueueLimits, ReaderQueues } from './reader-queue.ts'

/** How many requests of a role may wait or stay open, and what may wait for those that read; the defaults are the config schema's. */
export interface WaitLimits extends QueueLimits {
  readonly waits: number
  readonly waits_per_caller: number
}

/** One request that waits for something to happen: a pull, a watch, a stream. */
export interface Wait {
  /** Fires when there is no point in waiting any more: the caller went away or the role stops. */
  readonly signal: AbortSignal
  /** True when the caller went away. */
  gone(): boolean
  /** Call it when the wait is over. */
  end(): void
}

interface Caller {
  waits: number
}

/**
 * The requests of a role that wait or stay open, counted: what such a request holds, a connection, a place in a queue, bytes to be read, it
 * holds for as long as its caller likes.
 */
export class Waits {
  /** Fires when the role stops. */
  readonly signal: AbortSignal
  /** What waits for readers of event streams. */
  readonly queues: ReaderQueues
  readonly #limits: WaitLimits
  /** Those without a wait stay until there are many: taking them out and in again at each request costs more than they do. */
  readonly #callers = new Map<string, Caller>()
  #waits = 0

  /** @param signal the role's `ctx.signal` */
  constructor(limits: WaitLimits, signal: AbortSignal) {
    this.#limits = limits
    this.signal = signal
    this.queues = new ReaderQueues(limits)
  }

  /** Requests that wait now. */
  get count(): number {
    return this.#waits
  }

  /** Callers that are remembered. */
  get callers(): number {
    return this.#callers.size
  }

  /**
   * Counts a request that is going to wait; its `end` must be called. Throws AppError `RATE_LIMITED` when too many wait already, of this
   * caller or in all.
   * @param counted false for one that may be answered at once or not at all: it is only told when there is nobody to answer
   * @example
   * const wait = waits.begin(c)
   * try { return c.json(await queue.next({ signal: wait.signal })) } finally { wait.end() }
   */
  begin(c: Context<AppEnv>, counted = true): Wait {
    const leave = counted ? this.#enter(c) : () => {}
    const controller = new AbortController()
    const outgoing = c.env?.exchange?.outgoing
    const abort = () => controller.abort()
    this.signal.addEventListener('abort', abort)
    outgoing?.once('close', abort)
    if (this.signal.aborted || outgoing?.destroyed) abort()
    let over = false
    return {
      signal: controller.signal,
      gone: () => outgoing?.destroyed ?? false,
      end: () => {
        if (over) return
        over = true
        leave()
        this.signal.removeEventListener('abort', abort)
        outgoing?.removeListener('close', abort)
      },
    }
  }

  /** Counts a wait; gives what takes it back. */
  #enter(c: Context<AppEnv>): () => void {
    const { waits, waits_per_caller: perCaller } = this.#limits
    if (this.#waits >= waits) throw tooMany(`${waits} requests wait here, which is all that may (limits.waits)`)
    const caller = this.#callerOf(c)
    if (caller.waits >= perCaller)
      throw tooMany(`${perCaller} requests of this caller wait, which is all that may (limits.waits_per_caller)`)
    this.#waits++
    caller.waits++
    return () => {
      this.#waits--
      caller.waits--
    }
  }

  #callerOf(c: Context<AppEnv>): Caller {
    const name = callerName(c)
    const known = this.#callers.get(name)
    if (known) return known
    if (this.#callers.size > 2 * this.#limits.waits) {
      for (const [idle, { waits }] of this.#callers) if (waits === 0) this.#callers.delete(idle)
    }
    const caller = { waits: 0 }
    this.#callers.set(name, caller)
    return caller
  }
}

function tooMany(detail: string): AppError {
  return new AppError('RATE_LIMITED', 'Too many requests are waiting', { detail, headers: { 'retry-after': '1' } })
}
