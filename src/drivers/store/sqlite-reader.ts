import type { DatabaseSync } from 'node:sqlite'
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely'
import { DriverError } from '../driver-error.ts'
import type { SqliteFile } from './sqlite-file.ts'
import { SqliteStatements } from './sqlite-statements.ts'

/**
 * The connection behind `store.db`. Each query sees what is committed when it starts and is over when it returns, so
 * any number of callers may use it at once.
 */
export class SqliteReader implements DatabaseConnection {
  readonly #file: SqliteFile
  readonly #store: string
  readonly #database: DatabaseSync
  readonly #statements: SqliteStatements
  readonly #streams = new Set<DatabaseSync>()

  /** @param store the store's name, for messages */
  constructor(file: SqliteFile, store: string) {
    this.#file = file
    this.#store = store
    this.#database = file.openReader()
    this.#statements = new SqliteStatements(this.#database, store)
  }

  /** Runs a query; rejects with DriverError. */
  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    return this.#statements.run<R>(query)
  }

  /**
   * Gives rows as they are asked for, from one snapshot. It reads on a connection of its own: a statement half way
   * through would hold every other query on its connection to the same old snapshot.
   */
  async *streamQuery<R>(query: CompiledQuery, chunkSize: number): AsyncGenerator<QueryResult<R>> {
    if (!this.#database.isOpen) throw new DriverError('closed', `${this.#store} store: it is closed`)
    const database = this.#file.openReader()
    this.#streams.add(database)
    try {
      let rows: R[] = []
      for (const row of new SqliteStatements(database, this.#store).iterate<R>(query)) {
        if (rows.push(row) < chunkSize) continue
        yield { rows }
        rows = []
      }
      yield { rows }
    } finally {
      this.#streams.delete(database)
      if (database.isOpen) database.close()
    }
  }

  /** Closes it and cuts off the streams that still run, which then reject with `closed`. */
  close(): void {
    for (const stream of this.#streams) stream.close()
    if (this.#database.isOpen) this.#database.close()
  }
}
