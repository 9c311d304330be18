import type { DatabaseSync, StatementSync } from 'node:sqlite'

/** Reads that share a snapshot, and with it SQLite's file locks, which cost more than a usual read. */
export class SharedSnapshot {
  readonly #db: DatabaseSync
  readonly #begin: StatementSync
  readonly #end: StatementSync

  constructor(db: DatabaseSync) {
    this.#db = db
    this.#begin = db.prepare('BEGIN')
    this.#end = db.prepare('COMMIT')
  }

  /** What `read` returns, which only reads, and waits for nothing. Throws what it throws. */
  read<T>(read: () => T): T {
    this.#begin.run()
    try {
      return read()
    } finally {
      // a read that met a failing disk may have ended it by itself
      if (this.#db.isTransaction) this.#end.run()
    }
  }
}
