import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely'
import { DriverError } from '../driver-error.ts'
import { isBusy } from '../sqlite-results.ts'
import type { TransactionControl, WorkScope } from './group-commit.ts'
import type { SqliteFile } from './sqlite-file.ts'
import { SqliteStatements } from './sqlite-statements.ts'

/** The one connection that writes: opens and ends its transaction, and lends it to one work after the other. */
export class SqliteWriter implements TransactionControl {
  readonly #store: string
  readonly #file: SqliteFile
  readonly #database: DatabaseSync
  readonly #statements: SqliteStatements
  readonly #begin: StatementSync
  readonly #commit: StatementSync
  readonly #rollback: StatementSync
  readonly #savepoint: StatementSync
  readonly #release: StatementSync
  readonly #rollbackTo: StatementSync
  #abortedBy: DriverError | undefined

  /** @param store the store's name, for messages */
  constructor(file: SqliteFile, store: string) {
    const database = file.openWriter()
    this.#store = store
    this.#file = file
    this.#database = database
    this.#statements = new SqliteStatements(database, file)
    // From here on only `begin` can meet another process's lock, and group commit waits for that without blocking.
    database.exec('pragma busy_timeout = 0')
    this.#begin = database.prepare('begin immediate')
    this.#commit = database.prepare('commit')
    this.#rollback = database.prepare('rollback')
    this.#savepoint = database.prepare('savepoint work')
    this.#release = database.prepare('release work')
    this.#rollbackTo = database.prepare('rollback to work')
  }

  get active(): boolean {
    return this.#database.isTransaction
  }

  get abortedBy(): DriverError | undefined {
    return this.#abortedBy
  }

  begin(): boolean {
    this.#abortedBy = undefined
    this.#file.soundness.want()
    try {
      this.#begin.run()
      return true
    } catch (error) {
      if (isBusy(error)) return false
      throw this.#file.driverError(error)
    }
  }

  commit(): void {
    this.#control(this.#commit)
  }

  rollback(): void {
    this.#control(this.#rollback)
  }

  savepoint(): void {
    this.#control(this.#savepoint)
  }

  releaseSavepoint(): void {
    this.#control(this.#release)
  }

  rollbackToSavepoint(): void {
    this.#control(this.#rollbackTo)
  }

  /** Runs a work's query inside the open transaction. Throws DriverError. */
  run<R>(query: CompiledQuery): QueryResult<R> {
    // SQLite may have ended the transaction under a work that went on; its next statement must not commit by itself.
    if (!this.#database.isTransaction) throw this.#lost()
    try {
      return this.#statements.run<R>(query)
    } catch (error) {
      const fault = this.#file.driverError(error)
      if (!this.#database.isTransaction) this.#abortedBy ??= fault
      throw fault
    }
  }

  /** Closes it; the last one to close a database moves its log into the file. */
  close(): void {
    if (this.#database.isOpen) this.#database.close()
  }

  #lost(): DriverError {
    return this.#abortedBy ?? new DriverError('unavailable', `${this.#store} store: the transaction is gone; try again`)
  }

  #control(statement: StatementSync): void {
    try {
      statement.run()
    } catch (error) {
      throw this.#file.driverError(error)
    }
  }
}

/** The writer as one work sees it: it works until the work is over. */
export class WorkConnection implements DatabaseConnection, WorkScope {
  readonly #writer: SqliteWriter
  #over = false
  #fault: unknown

  constructor(writer: SqliteWriter) {
    this.#writer = writer
  }

  /** Throws what the first query that failed threw. */
  wantNoFault(): void {
    if (this.#fault !== undefined) throw this.#fault
  }

  end(): void {
    this.#over = true
  }

  /** Runs a query; rejects with DriverError, `closed` once the work is over. */
  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.#over) throw new DriverError('closed', 'this transaction is over; await each query inside it')
    try {
      return this.#writer.run<R>(query)
    } catch (fault) {
      this.#fault ??= fault
      throw fault
    }
  }

  /** Reads everything at once: a statement left half way would hold the writer to an old snapshot after the commit. */
  async *streamQuery<R>(query: CompiledQuery): AsyncGenerator<QueryResult<R>> {
    yield await this.executeQuery<R>(query)
  }
}
