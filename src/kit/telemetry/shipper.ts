import type { Clock } from '../../drivers/clock.ts'
import { backOff } from '../back-off.ts'
import { AppError } from '../errors.ts'
import { Spool } from './spool.ts'

/** Where items go, and the bounds on the way. */
export interface ShipperOptions<T> {
  /** Delivers a batch, or rejects; gives up when `signal` fires. An AppError with status 400, 413, 415 or 422 refuses the content. */
  readonly send: (batch: readonly T[], signal: AbortSignal) => Promise<void>
  readonly clock: Pick<Clock, 'monotonic'>
  /** Items that set off a batch at once. Default 100 (seed 9.7.8). */
  readonly maxBatch?: number
  /** Largest batch, used when more than one has gathered. Default 1 000. */
  readonly maxBurst?: number
  /** Largest batch in bytes, by `roughSize`. Default 1 MiB. */
  readonly maxBatchBytes?: number
  /** Milliseconds an item waits for company. Default 1 000. */
  readonly maxWaitMs?: number
  /** Items kept while the target is away. Default 100 000. */
  readonly maxQueued?: number
  /** Memory in bytes for them, by `roughSize`. Default 32 MiB. */
  readonly maxBytes?: number
  /** Milliseconds one delivery may take. Default 5 000. */
  readonly sendTimeoutMs?: number
  /** Milliseconds `close` may take. Default 2 000. */
  readonly closeTimeoutMs?: number
  /** Told how many items were dropped since it was told last, after each delivery and at the end. Must not throw. */
  readonly onDrop?: (count: number) => void
  /** Milliseconds for which the target asked to be left alone, by what `send` rejected with; five minutes at most. Default 0. */
  readonly restMs?: (failure: unknown) => number
  /** From 0 up to 1. Default Math.random. */
  readonly random?: () => number
}

/** Carries items to a target in batches, behind the back of whoever adds them. */
export interface Shipper<T> {
  /** Queues an item in under a microsecond; never throws or waits. Beyond the bounds the oldest item goes and is counted. */
  add(item: T): void
  /** Sends what waits now; resolves when that is delivered, or once the target failed (what waits is kept then). Never rejects. */
  flush(): Promise<void>
  /** Sends what waits, in bounded time. What is left is dropped and counted, like all that is added later. Never rejects. */
  close(): Promise<void>
  /** Items lost so far. */
  readonly dropped: number
}

/** Failures in a row after which a closing shipper takes the target for gone: stopping must not cost its whole time then. */
const CLOSING_FAILURES = 2
/** Longest rest that a target is granted, milliseconds. */
const LONGEST_REST_MS = 300_000
/** Statuses that say the content is at fault: the same batch would fare no better later. */
const REFUSALS: readonly number[] = [400, 413, 415, 422]

const DEFAULTS = {
  maxBatch: 100,
  maxBurst: 1_000,
  maxBatchBytes: 1024 * 1024,
  maxWaitMs: 1_000,
  maxQueued: 100_000,
  maxBytes: 32 * 1024 * 1024,
  sendTimeoutMs: 5_000,
  closeTimeoutMs: 2_000,
  onDrop: () => {},
  restMs: () => 0,
  random: Math.random,
} as const

type Delivery = { readonly is: 'delivered' | 'refused' } | { readonly is: 'failed'; readonly restMs: number }

const DELIVERED: Delivery = { is: 'delivered' }

type State =
  | { readonly at: 'idle' }
  | { readonly at: 'gathering'; readonly timer: NodeJS.Timeout }
  | { readonly at: 'due'; readonly turn: NodeJS.Immediate }
  | { readonly at: 'sending'; readonly abort: AbortController; readonly timer: NodeJS.Timeout }
  | { readonly at: 'away'; readonly timer: NodeJS.Timeout }
  | { readonly at: 'closed' }

interface Waiter {
  /** Resolved once so many items have left. */
  readonly until: number
  readonly resolve: () => void
}

/**
 * Makes a shipper: batches of 100 or of what a second brings, one at a time, bigger ones when it has fallen behind. While the
 * target is away it tries again after 100 ms, doubling to 1.5 s, with jitter. A batch whose content is refused is halved until
 * the offending item is alone, and that one is dropped.
 * @example const shipper = createShipper<LogEntry>({ clock, send: (batch, signal) => post('/logs', batch, signal) })
 */
export function createShipper<T>(options: ShipperOptions<T>): Shipper<T> {
  return new BatchingShipper(options)
}

class BatchingShipper<T> implements Shipper<T> {
  readonly #options: Required<ShipperOptions<T>>
  readonly #spool: Spool<T>
  #state: State = { at: 'idle' }
  #closing: Promise<void> | undefined
  /** When the first of those waiting has waited long enough. */
  #dueAt = 0
  /** Failures in a row. */
  #failures = 0
  /** Most items in the next batch; less than maxBurst after a refusal. */
  #limit: number
  #added = 0
  #dropped = 0
  #reported = 0
  #waiters: Waiter[] = []

  constructor(options: ShipperOptions<T>) {
    this.#options = { ...DEFAULTS, ...options }
    this.#spool = new Spool({ maxItems: this.#options.maxQueued, maxBytes: this.#options.maxBytes })
    this.#limit = this.#options.maxBurst
  }

  get dropped(): number {
    return this.#dropped
  }

  add(item: T): void {
    this.#added++
    if (this.#closing) {
      this.#dropped++
      return
    }
    const { clock, maxWaitMs, maxBatch } = this.#options
    if (this.#spool.length === 0) this.#dueAt = clock.monotonic() + maxWaitMs
    this.#dropped += this.#spool.push(item)
    const { at } = this.#state
    if (at === 'idle' || (at === 'gathering' && this.#spool.length >= maxBatch)) this.#schedule()
  }

  flush(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push({ until: this.#added, resolve })
      this.#hurry()
    })
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      const deadline = setTimeout(() => this.#end(), this.#options.closeTimeoutMs)
      const resolved = () => {
        clearTimeout(deadline)
        resolve()
      }
      this.#waiters.push({ until: Number.POSITIVE_INFINITY, resolve: resolved })
      queueMicrotask(() => this.#hurry())
    })
    return this.#closing
  }

  /** Sends now rather than when the time comes; a delivery under way goes first. */
  #hurry(): void {
    const { at } = this.#state
    if (at === 'closed') this.#tell()
    else if (at !== 'sending' && at !== 'due') this.#schedule()
  }

  /** Decides when the next batch leaves, if there is one. */
  #schedule(): void {
    const { maxBatch, clock } = this.#options
    this.#disarm()
    if (this.#spool.length === 0) {
      this.#state = { at: 'idle' }
      if (this.#closing) this.#end()
      else this.#tell()
    } else if (this.#spool.length >= maxBatch || this.#waiters.length > 0) {
      this.#state = { at: 'due', turn: setImmediate(() => this.#ship()) }
    } else {
      this.#state = this.#later('gathering', this.#dueAt - clock.monotonic())
    }
  }

  #later(at: 'gathering' | 'away', ms: number): State {
    return { at, timer: setTimeout(() => this.#ship(), Math.max(0, ms)).unref() }
  }

  #disarm(): void {
    if ('timer' in this.#state) clearTimeout(this.#state.timer)
    if ('turn' in this.#state) clearImmediate(this.#state.turn)
  }

  async #ship(): Promise<void> {
    const { maxBatch, maxBatchBytes, send, sendTimeoutMs } = this.#options
    const fallenBehind = this.#spool.length >= 2 * maxBatch
    const batch = this.#spool.take(fallenBehind ? this.#limit : Math.min(this.#limit, maxBatch), maxBatchBytes)
    const abort = new AbortController()
    const late = () => abort.abort(new AppError('UPSTREAM_TIMEOUT', `A batch was not taken within ${sendTimeoutMs} ms`))
    const sending: State = { at: 'sending', abort, timer: setTimeout(late, sendTimeoutMs).unref() }
    this.#state = sending
    const outcome = await Promise.try(send, batch, abort.signal).then(
      () => DELIVERED,
      (failure: unknown) => this.#outcomeOf(failure),
    )
    if (this.#state !== sending) return
    this.#disarm()
    this.#settle(outcome, batch.length)
  }

  #settle(outcome: Delivery, count: number): void {
    this.#state = { at: 'idle' }
    if (outcome.is === 'delivered') {
      this.#spool.release()
      this.#failures = 0
      this.#limit = Math.min(this.#options.maxBurst, this.#limit * 2)
    } else if (outcome.is === 'refused' && count > 1) {
      this.#spool.putBack()
      this.#limit = Math.ceil(count / 2)
    } else {
      if (outcome.is === 'failed') this.#spool.putBack()
      else this.#dropped += this.#spool.release()
      this.#failures++
      this.#waitForTarget(outcome.is === 'failed' ? outcome.restMs : 0)
      return
    }
    this.#tell()
    this.#schedule()
  }

  #outcomeOf(failure: unknown): Delivery {
    if (failure instanceof AppError && REFUSALS.includes(failure.status)) return { is: 'refused' }
    return { is: 'failed', restMs: Math.min(LONGEST_REST_MS, this.#options.restMs(failure)) }
  }

  #waitForTarget(restMs: number): void {
    if (this.#closing && this.#failures >= CLOSING_FAILURES) {
      this.#end()
      return
    }
    const { random } = this.#options
    this.#state = this.#later('away', Math.max(restMs, backOff(this.#failures, { random })))
    this.#tell({ failed: true })
  }

  #end(): void {
    this.#disarm()
    if (this.#state.at === 'sending') this.#state.abort.abort(new AppError('STOPPING', 'The shipper is closing'))
    this.#state = { at: 'closed' }
    this.#dropped += this.#spool.clear()
    this.#tell()
  }

  /** Reports what was dropped, and resolves whoever has nothing left to wait for. */
  #tell({ failed = false } = {}): void {
    const lost = this.#dropped - this.#reported
    this.#reported = this.#dropped
    if (lost > 0) this.#options.onDrop(lost)
    const left = this.#added - this.#spool.held
    const served = ({ until }: Waiter) =>
      this.#state.at === 'closed' || until <= left || (failed && Number.isFinite(until))
    const ready = this.#waiters.filter(served)
    this.#waiters = this.#waiters.filter((waiter) => !served(waiter))
    for (const { resolve } of ready) resolve()
  }
}
