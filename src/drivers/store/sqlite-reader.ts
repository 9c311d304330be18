import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely'
import { DriverError } from '../driver-error.ts'
import type { SqliteFile } from './sqlite-file.ts'
import { SqliteStatements } from './sqlite-statements.ts'

/**
 * The connection behind `store.db`, for any number of callers at once. Queries of one turn of the event loop share a snapshot, and with it
 * SQLite's file locks: four system calls, which cost more than a usual query. The snapshot ends with the turn, and at every commit of
 * this process, so a caller always sees what it was told is written.
 */
export class SqliteReader implements DatabaseConnection {
  readonly #file: SqliteFile
  readonly #store: string
  readonly #database: DatabaseSync
  readonly #statements: SqliteStatements
  readonly #streams = new Set<DatabaseSync>()
  readonly #begin: StatementSync
  readonly #end: StatementSync
  #turn: NodeJS.Immediate | undefined

  /** @param store the store's name, for messages */
  constructor(file: SqliteFile, store: string) {
    this.#file = file
    this.#store = store
    this.#database = file.openReader()
    this.#statements = new SqliteStatements(this.#database, file)
    this.#begin = this.#database.prepare('begin')
    this.#end = this.#database.prepare('commit')
  }

  /** Runs a query; rejects with DriverError. */
  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.#turn === undefined && this.#database.isOpen) {
      this.#beginSnapshot()
      this.#turn = setImmediate(() => this.refresh())
    }
    return this.#statements.run<R>(query)
  }

  /** Ends the snapshot: the next query sees all that is committed by then. */
  refresh(): void {
    if (this.#turn === undefined) return
    clearImmediate(this.#turn)
    this.#turn = undefined
    try {
      // a read that met a failing disk may have ended the snapshot by itself
      if (this.#database.isTransaction) this.#end.run()
    } catch {
      // the file is damaged or gone: the next query finds that out and says so, whoever asks it
    }
  }

  /** Throws DriverError. */
  #beginSnapshot(): void {
    try {
      if (!this.#database.isTransaction) this.#begin.run()
    } catch (fault) {
      throw this.#file.driverError(fault)
    }
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
      for (const row of new SqliteStatements(database, this.#file).iterate<R>(query)) {
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
    this.refresh()
    if (this.#database.isOpen) this.#database.close()
  }
}
