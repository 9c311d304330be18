import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { DriverError } from '../../driver-error.ts'
import type { Soundness } from '../../soundness.ts'
import { isBusy } from '../../sqlite-results.ts'
import { isStorageFault, toDriverError } from './sqlite-fault.ts'

/** What a piece of work tells about its changes to memory, which must not run ahead of the disk. */
export interface Transaction {
  /** Says how to take back a change to memory, should the commit fail. Run newest first. */
  undo(action: () => void): void
  /** Says what to do once the rows are on disk. */
  after(action: () => void): void
}

interface Queued {
  /** Does the work and returns what resolves its promise. */
  readonly apply: (tx: Transaction) => () => void
  readonly reject: (fault: DriverError) => void
}

/** Most pieces of work in one transaction: bounds how long it keeps the event loop. */
const MAX_GROUP = 2048
/** Most pieces of work waiting; beyond it they are refused rather than piled up. */
const MAX_QUEUED = 65_536
/** How long a lock held by another process, such as one that takes a backup, is waited for, and how often it is asked for, milliseconds. */
const LOCK_MS = 5_000
const ASK_EVERY_MS = 5
const ASKS = LOCK_MS / ASK_EVERY_MS

/**
 * Runs pieces of work in transactions, all that was asked for in the same turn of the event loop in one, so that
 * they share one fsync (group commit: Gawlick & Kinkade 1985). SQLite is synchronous here: while a commit runs,
 * requests gather in their sockets and make the next group. Another process's lock is not waited for in SQLite, which would hold up the event loop.
 */
export class GroupCommit {
  readonly #begin: StatementSync
  readonly #commit: StatementSync
  readonly #rollback: StatementSync
  readonly #changes: StatementSync
  readonly #opened: unknown
  readonly #db: DatabaseSync
  readonly #beforeCommit: () => void
  readonly #soundness: Pick<Soundness, 'want' | 'note' | 'refuseForeign'>
  #queue: Queued[] = []
  #scheduled: NodeJS.Immediate | undefined
  #again: NodeJS.Timeout | undefined
  /** How often in a row the lock could not be had. */
  #asked = 0
  #closed = false

  /**
   * @param beforeCommit writes rows that were held back to be written together.
   * @param soundness says whether the file may be written to, and is told of damage, and of somebody else who writes to it.
   */
  constructor(
    db: DatabaseSync,
    beforeCommit: () => void,
    soundness: Pick<Soundness, 'want' | 'note' | 'refuseForeign'>,
  ) {
    this.#db = db
    this.#beforeCommit = beforeCommit
    this.#soundness = soundness
    this.#begin = db.prepare('BEGIN IMMEDIATE')
    this.#commit = db.prepare('COMMIT')
    this.#rollback = db.prepare('ROLLBACK')
    // another number once another connection has written (https://sqlite.org/pragma.html#pragma_data_version)
    this.#changes = db.prepare('PRAGMA data_version')
    this.#opened = this.#changes.get()?.data_version
  }

  /**
   * Runs `work` in the next transaction, after what was asked for before it; resolves once that is on disk.
   * A DriverError thrown by `work` before its first write refuses this work alone. `work` may run a second time after
   * a failure that was taken back.
   */
  run<T>(work: (tx: Transaction) => T): Promise<T> {
    if (this.#closed) return Promise.reject(new DriverError('closed', 'the bus is closed'))
    if (this.#queue.length >= MAX_QUEUED) {
      return Promise.reject(new DriverError('unavailable', 'the bus has too much to do; try again later'))
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({
        apply: (tx) => {
          const value = work(tx)
          return () => resolve(value)
        },
        reject,
      })
      this.#schedule()
    })
  }

  /** Commits what is queued, then refuses what comes. */
  close(): void {
    this.#closed = true
    // nobody is served any more who could be held up
    if (this.#queue.length > 0) this.#db.exec(`PRAGMA busy_timeout = ${LOCK_MS}`)
    while (this.#queue.length > 0) this.#flush()
    clearImmediate(this.#scheduled)
    clearTimeout(this.#again)
  }

  #schedule(): void {
    if (this.#again !== undefined) return
    // Not a microtask: requests read in the same turn of the event loop are to share the commit.
    this.#scheduled ??= setImmediate(() => this.#flush())
  }

  #flush(): void {
    clearImmediate(this.#scheduled)
    clearTimeout(this.#again)
    this.#scheduled = undefined
    this.#again = undefined
    const group = this.#queue
    this.#queue = group.length > MAX_GROUP ? group.splice(MAX_GROUP) : []
    const left = this.#transact(group)
    if (left.length === 0) this.#asked = 0
    else this.#wait(left)
    if (this.#queue.length > 0) this.#schedule()
  }

  /** Asks for the lock again in a moment, for those that could not be begun before. */
  #wait(left: readonly Queued[]): void {
    if (this.#closed || ++this.#asked >= ASKS) {
      this.#asked = 0
      const fault = new DriverError('unavailable', `another process has held the lock of bus.db for ${LOCK_MS} ms`)
      for (const work of left) work.reject(fault)
      return
    }
    this.#queue = [...left, ...this.#queue]
    clearImmediate(this.#scheduled)
    this.#scheduled = undefined
    this.#again = setTimeout(() => this.#flush(), ASK_EVERY_MS)
  }

  /** Returns those that are left since another process has the lock. */
  #transact(group: readonly Queued[]): readonly Queued[] {
    const undo: (() => void)[] = []
    const after: (() => void)[] = []
    const tx: Transaction = { undo: (action) => undo.push(action), after: (action) => after.push(action) }
    const settle: (() => void)[] = []
    try {
      this.#soundness.want()
      if (!this.#lock()) return group
      if (this.#changes.get()?.data_version !== this.#opened) this.#soundness.refuseForeign()
      for (const work of group) settle.push(this.#apply(work, tx))
      this.#beforeCommit()
      this.#commit.run()
    } catch (fault) {
      for (const action of undo.reverse()) action()
      this.#takeBack()
      return this.#fail(group, fault)
    }
    for (const resolve of settle) resolve()
    for (const action of after) action()
    return []
  }

  /** Begins a transaction; false while another process has the lock. */
  #lock(): boolean {
    try {
      this.#begin.run()
      return true
    } catch (fault) {
      if (isBusy(fault)) return false
      throw fault
    }
  }

  #apply(work: Queued, tx: Transaction): () => void {
    try {
      return work.apply(tx)
    } catch (fault) {
      if (!(fault instanceof DriverError)) throw fault
      return () => work.reject(fault)
    }
  }

  #takeBack(): void {
    try {
      // Some faults end the transaction by themselves.
      if (this.#db.isTransaction) this.#rollback.run()
    } catch {
      // The fault that led here is the one to tell of; if the transaction is still open, the next BEGIN fails and ends here too.
    }
  }

  /** One piece of work that can't be stored must not take the others with it: they are run one by one. Returns those that are left as `#transact` does. */
  #fail(group: readonly Queued[], fault: unknown): readonly Queued[] {
    if (group.length > 1 && !(fault instanceof DriverError) && !isStorageFault(fault)) {
      const busyAt = group.findIndex((work) => this.#transact([work]).length > 0)
      return busyAt < 0 ? [] : group.slice(busyAt)
    }
    this.#soundness.note(fault)
    const reason = toDriverError(fault)
    for (const work of group) work.reject(reason)
    return []
  }
}
