import { AsyncLocalStorage } from 'node:async_hooks'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../clock.ts'
import { DriverError } from '../driver-error.ts'

/** What group commit needs of a database: the statements of a transaction, each done when it returns. All throw DriverError. */
export interface TransactionControl {
  /** True while a transaction is open. A database may end one by itself when a write fails, see `abortedBy`. */
  readonly active: boolean
  /** Why the database ended the last transaction by itself, if it did. */
  readonly abortedBy: DriverError | undefined
  /** Takes the write lock. False when another connection holds it, throws when it can't be had at all. */
  begin(): boolean
  commit(): void
  rollback(): void
  savepoint(): void
  releaseSavepoint(): void
  rollbackToSavepoint(): void
}

/** A work's own connection to the open transaction. */
export interface WorkScope {
  /** From here on it refuses whatever the work left running. */
  end(): void
}

/** Where group commit draws its lines. */
export interface GroupCommitLimits {
  /** Works waiting at the same time; the next one is refused (`unavailable`). */
  readonly queued: number
  /** Works that share one commit, so that the first of them doesn't wait for an endless batch. */
  readonly batchWorks: number
  /** Milliseconds a batch may take works for, so that big ones don't hold up the event loop. */
  readonly batchMs: number
  /** Milliseconds one work may wait for something that isn't the database. Time spent in queries doesn't count. */
  readonly workMs: number
  /** Milliseconds to ask for the write lock while another process holds it. */
  readonly lockMs: number
}

/** How a work went, held back until its batch is committed. */
interface JobOutcome {
  readonly succeeded: boolean
  /** Tells the one who asked. */
  answer(): void
}

interface Job {
  run(): Promise<JobOutcome>
  reject(fault: DriverError): void
}

/**
 * Runs transactions that were asked for at the same time inside one, so that they share one fsync: the group commit of
 * DeWitt et al., "Implementation Techniques for Main Memory Database Systems", 1984.
 *
 * Works run one after the other, each behind a savepoint; one that throws undoes its own rows only. Nobody hears how
 * it went before the batch is on disk, not even that it failed: it may have failed on a row of a neighbour which then
 * never came to be. When the commit fails, everybody in the batch gets the commit's error, and the next starts afresh.
 */
export class GroupCommit {
  readonly #control: TransactionControl
  readonly #limits: GroupCommitLimits
  readonly #clock: Clock
  readonly #queue: Job[] = []
  #running: Promise<void> | undefined
  #closed = false

  constructor(control: TransactionControl, limits: GroupCommitLimits, clock: Clock) {
    this.#control = control
    this.#limits = limits
    this.#clock = clock
  }

  /**
   * Queues `work` and resolves with its value once it is committed. `open` makes the scope it works in, when its turn comes;
   * it runs in the caller's async context, so that it finds the caller's trace.
   * Rejects with what `work` threw, or with DriverError: `closed`; `unavailable` when too many wait, when the write lock
   * or the disk can't be had or `work` waits for something else than its queries; `full` when the disk is.
   */
  submit<S extends WorkScope, T>(open: () => S, work: (scope: S) => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new DriverError('closed', 'the store is closed; no transaction can start'))
    if (this.#queue.length >= this.#limits.queued) {
      const message = `${this.#limits.queued} transactions are waiting already; try again later`
      return Promise.reject(new DriverError('unavailable', message))
    }
    return new Promise<T>((resolve, reject) => {
      const succeeded = (value: T): JobOutcome => ({ succeeded: true, answer: () => resolve(value) })
      const failed = (error: unknown): JobOutcome => ({ succeeded: false, answer: () => reject(error) })
      const inContext = AsyncLocalStorage.snapshot()
      this.#queue.push({ run: () => inContext(() => this.#attempt(open(), work, succeeded, failed)), reject })
      this.#running ??= this.#drain()
    })
  }

  /** Refuses what comes and resolves when what was queued is done. May be called twice. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#running
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      // Whoever asks in the same turn of the event loop joins, and sockets get their turn between two batches.
      await nextTurn()
      try {
        await this.#lock()
      } catch (cause) {
        const fault = faultOf(cause)
        for (const job of this.#queue.splice(0)) job.reject(fault)
        continue
      }
      await this.#batch()
    }
    this.#running = undefined
  }

  /**
   * Waits for the write lock; not through SQLite's own busy handler, which would hold up the event loop. A transaction
   * that could not be undone before is undone first.
   */
  async #lock(): Promise<void> {
    if (this.#control.active) this.#control.rollback()
    const deadline = this.#clock.monotonic() + this.#limits.lockMs
    for (let pause = 1; !this.#control.begin(); pause = Math.min(pause + 1, 5)) {
      if (this.#clock.monotonic() >= deadline) {
        throw new DriverError('unavailable', `another process has held the write lock for ${this.#limits.lockMs} ms`)
      }
      await sleep(pause)
    }
  }

  async #batch(): Promise<void> {
    const ran: Job[] = []
    const outcomes: JobOutcome[] = []
    const until = this.#clock.monotonic() + this.#limits.batchMs
    try {
      do {
        const job = this.#queue.shift()
        if (job === undefined) break
        ran.push(job)
        outcomes.push(await this.#isolate(job))
      } while (ran.length < this.#limits.batchWorks && this.#clock.monotonic() < until)
      if (outcomes.some((outcome) => outcome.succeeded)) this.#control.commit()
      else this.#control.rollback()
    } catch (cause) {
      const fault = faultOf(cause)
      for (const job of ran) job.reject(fault)
      this.#undo()
      return
    }
    for (const outcome of outcomes) outcome.answer()
  }

  #undo(): void {
    try {
      if (this.#control.active) this.#control.rollback()
    } catch {
      // Tried again before the next batch, which hears of it; this one has heard of its own fault.
    }
  }

  /** Runs one work behind a savepoint. Throws when the whole transaction is lost. */
  async #isolate(job: Job): Promise<JobOutcome> {
    this.#control.savepoint()
    const outcome = await job.run()
    if (!this.#control.active) {
      const message = 'the database gave up the transaction that several shared; try again'
      throw this.#control.abortedBy ?? new DriverError('unavailable', message)
    }
    if (!outcome.succeeded) this.#control.rollbackToSavepoint()
    this.#control.releaseSavepoint()
    return outcome
  }

  /** Runs a work in its scope and always answers: one that waits for anything else than its queries is left behind. */
  #attempt<S extends WorkScope, T>(
    scope: S,
    work: (scope: S) => Promise<T>,
    succeeded: (value: T) => JobOutcome,
    failed: (error: unknown) => JobOutcome,
  ): Promise<JobOutcome> {
    return new Promise<JobOutcome>((resolve) => {
      const finish = (outcome: JobOutcome): void => {
        clearTimeout(stuck)
        scope.end()
        resolve(outcome)
      }
      const stuck = setTimeout(() => {
        const message = `a transaction waited ${this.#limits.workMs} ms for something else than its own queries; it was undone`
        finish(failed(new DriverError('unavailable', message)))
      }, this.#limits.workMs)
      Promise.try(work, scope).then(
        (value) => finish(succeeded(value)),
        (error: unknown) => finish(failed(error)),
      )
    })
  }
}

function faultOf(cause: unknown): DriverError {
  return cause instanceof DriverError ? cause : new DriverError('unavailable', 'the store failed; try again', { cause })
}
