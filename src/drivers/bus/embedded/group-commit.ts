import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { DriverError } from '../../driver-error.ts'
import type { Soundness } from '../../soundness.ts'
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

/**
 * Runs pieces of work in transactions, all that was asked for in the same turn of the event loop in one, so that
 * they share one fsync (group commit: Gawlick & Kinkade 1985). SQLite is synchronous here: while a commit runs,
 * requests gather in their sockets and make the next group.
 */
export class GroupCommit {
  readonly #begin: StatementSync
  readonly #commit: StatementSync
  readonly #rollback: StatementSync
  readonly #db: DatabaseSync
  readonly #beforeCommit: () => void
  readonly #soundness: Pick<Soundness, 'want' | 'note'>
  #queue: Queued[] = []
  #scheduled: NodeJS.Immediate | undefined
  #closed = false

  /**
   * @param beforeCommit writes rows that were held back to be written together.
   * @param soundness says whether the file may be written to, and is told of damage.
   */
  constructor(db: DatabaseSync, beforeCommit: () => void, soundness: Pick<Soundness, 'want' | 'note'>) {
    this.#db = db
    this.#beforeCommit = beforeCommit
    this.#soundness = soundness
    this.#begin = db.prepare('BEGIN')
    this.#commit = db.prepare('COMMIT')
    this.#rollback = db.prepare('ROLLBACK')
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
      // Not a microtask: requests read in the same turn of the event loop are to share the commit.
      this.#scheduled ??= setImmediate(() => this.#flush())
    })
  }

  /** Commits what is queued, then refuses what comes. */
  close(): void {
    this.#closed = true
    while (this.#queue.length > 0) this.#flush()
    clearImmediate(this.#scheduled)
  }

  #flush(): void {
    clearImmediate(this.#scheduled)
    this.#scheduled = undefined
    const group = this.#queue
    this.#queue = group.length > MAX_GROUP ? group.splice(MAX_GROUP) : []
    if (this.#queue.length > 0) this.#scheduled = setImmediate(() => this.#flush())
    this.#transact(group)
  }

  #transact(group: readonly Queued[]): void {
    const undo: (() => void)[] = []
    const after: (() => void)[] = []
    const tx: Transaction = { undo: (action) => undo.push(action), after: (action) => after.push(action) }
    const settle: (() => void)[] = []
    try {
      this.#soundness.want()
      this.#begin.run()
      for (const work of group) settle.push(this.#apply(work, tx))
      this.#beforeCommit()
      this.#commit.run()
    } catch (fault) {
      for (const action of undo.reverse()) action()
      this.#takeBack()
      this.#fail(group, fault)
      return
    }
    for (const resolve of settle) resolve()
    for (const action of after) action()
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

  /** One piece of work that can't be stored must not take the others with it: they are run one by one. */
  #fail(group: readonly Queued[], fault: unknown): void {
    if (group.length > 1 && !(fault instanceof DriverError) && !isStorageFault(fault)) {
      for (const work of group) this.#transact([work])
      return
    }
    this.#soundness.note(fault)
    const reason = toDriverError(fault)
    for (const work of group) work.reject(reason)
  }
}
