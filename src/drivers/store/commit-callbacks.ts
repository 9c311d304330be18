import type { Transaction } from 'kysely'
import { DriverError } from '../driver-error.ts'

/** What is to be called once each of a store's transactions is committed: what a driver's `afterCommit` works with. */
export class CommitCallbacks<DB> {
  readonly #waiting = new WeakMap<Transaction<DB>, (() => void)[]>()

  /** Takes callbacks for a transaction from here on. */
  begin(trx: Transaction<DB>): void {
    this.#waiting.set(trx, [])
  }

  /** Keeps a callback for the end of a transaction. Throws DriverError `closed` for one that is over. */
  add(trx: Transaction<DB>, callback: () => void): void {
    const waiting = this.#waiting.get(trx)
    if (!waiting) throw new DriverError('closed', 'this transaction is over; call afterCommit inside it')
    waiting.push(callback)
  }

  /** Calls what a transaction's work asked for, in that order: its rows can be read. */
  committed(trx: Transaction<DB>): void {
    const waiting = this.#waiting.get(trx) ?? []
    this.#waiting.delete(trx)
    for (const callback of waiting) callback()
  }
}
