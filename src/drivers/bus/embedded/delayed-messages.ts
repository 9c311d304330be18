import type { DriverError } from '../../driver-error.ts'
import { tooManyDelayed } from '../delay.ts'
import type { DelayedRow, DelayedRows } from './delayed-rows.ts'
import type { Transaction } from './group-commit.ts'

/** Messages that take their places in one transaction: some 5 ms of work. */
const STEP = 500
/** Characters after which no further one does. */
const MAX_STEP_SIZE = 4 * 1024 * 1024
/** When it is tried again after a failure. */
const RETRY_MS = 1000

/** What the delayed messages work with. */
export interface DelayedMessagesOptions {
  readonly rows: DelayedRows
  /** How many may wait. */
  readonly max: number
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number
  /** Monotonic milliseconds. */
  readonly monotonic: () => number
  /** Told on commit that one came, which may be due before all others. */
  readonly added: () => void
}

/**
 * Messages that wait on disk for the time at which they take their places in their topics. While the process runs the monotonic clock decides, so that a
 * wall clock that jumps delivers nothing early or late; over a restart the wall clock does, as it alone goes on.
 */
export class DelayedMessages {
  readonly #rows: DelayedRows
  readonly #max: number
  readonly #monotonic: () => number
  readonly #added: () => void
  /** What the wall clock was ahead of the monotonic one when the process began. */
  readonly #ahead: number
  /** How many wait in each topic where some do. */
  readonly #counts = new Map<number, number>()
  /** How many wait in all. */
  #total = 0
  #next: number
  #isPlacing = false
  #retryAt = 0

  constructor({ rows, max, now, monotonic, added }: DelayedMessagesOptions) {
    this.#rows = rows
    this.#max = max
    this.#monotonic = monotonic
    this.#added = added
    this.#ahead = now() - monotonic()
    rows.shorten(Math.ceil(now()))
    for (const [topic, count] of rows.counts()) this.#count(topic, count)
    this.#next = rows.next()
  }

  /** When `place` is wanted next, monotonic milliseconds; Infinity while it runs. */
  get dueAt(): number {
    return this.#isPlacing ? Number.POSITIVE_INFINITY : Math.max(this.#next - this.#ahead, this.#retryAt)
  }

  /** The waiting message of a topic with an id. Costs nothing where none waits in the topic. */
  find(topic: number, id: string): DelayedRow | undefined {
    return this.#counts.has(topic) ? this.#rows.find(topic, id) : undefined
  }

  /** How many wait. */
  get size(): number {
    return this.#total
  }

  /** Whether some wait in a topic. */
  areIn(topic: number): boolean {
    return this.#counts.has(topic)
  }

  /** How many more may wait. */
  get room(): number {
    return Math.max(0, this.#max - this.#total)
  }

  /** Why no more may: DriverError `too-many`. */
  noRoom(): DriverError {
    return tooManyDelayed(this.#max, this.#next - this.#time())
  }

  /** Has a message wait. Returns when it is due, milliseconds since 1970. */
  add(tx: Transaction, message: Omit<DelayedRow, 'dueAt'>, delayMs: number): number {
    const dueAt = this.#time() + Math.ceil(delayMs)
    this.#rows.insert({ ...message, dueAt }, Math.ceil(delayMs))
    this.#change(tx, message.topic, 1)
    this.#setNext(tx, Math.min(this.#next, dueAt))
    tx.after(this.#added)
    return dueAt
  }

  /** Takes the one of a topic with an id away. False where none waits. */
  cancel(tx: Transaction, topic: number, id: string): boolean {
    if (!this.#counts.has(topic) || !this.#rows.remove(topic, id)) return false
    this.#change(tx, topic, -1)
    this.#setNext(tx, this.#rows.next())
    return true
  }

  /**
   * Has those that are due take their places, a transaction a step.
   * @param run runs a step in a transaction, and stores what it gives
   */
  async place(run: (step: (tx: Transaction) => readonly DelayedRow[]) => Promise<void>): Promise<void> {
    if (this.#isPlacing) return
    this.#isPlacing = true
    try {
      do await run((tx) => this.#takeDue(tx))
      while (this.#next <= this.#time())
    } catch {
      // nobody waits for it: it is tried again, and whoever publishes hears of the same fault
      this.#retryAt = this.#monotonic() + RETRY_MS
    } finally {
      this.#isPlacing = false
    }
  }

  #takeDue(tx: Transaction): readonly DelayedRow[] {
    const due = this.#rows.takeDue(this.#time(), { messages: STEP, characters: MAX_STEP_SIZE })
    for (const { topic } of due) this.#change(tx, topic, -1)
    this.#setNext(tx, this.#rows.next())
    return due
  }

  /** The wall clock as it would be had nobody set it. */
  #time(): number {
    return Math.floor(this.#monotonic() + this.#ahead)
  }

  #setNext(tx: Transaction, next: number): void {
    const before = this.#next
    tx.undo(() => {
      this.#next = before
    })
    this.#next = next
  }

  #change(tx: Transaction, topic: number, more: number): void {
    const before = this.#counts.get(topic) ?? 0
    tx.undo(() => this.#count(topic, before))
    this.#count(topic, before + more)
  }

  #count(topic: number, count: number): void {
    this.#total += count - (this.#counts.get(topic) ?? 0)
    if (count === 0) this.#counts.delete(topic)
    else this.#counts.set(topic, count)
  }
}
