import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely'
import type pg from 'pg'
import { DriverError } from '../../driver-error.ts'
import { toDriverError } from './errors.ts'
import { bindable, type StatementNames, toResult } from './values.ts'

/** A transaction's connection as its work sees it: one query after the other, until one fails or the work is over. */
export class WorkConnection implements DatabaseConnection {
  readonly #client: pg.Client
  readonly #names: StatementNames
  readonly #store: string
  #last: Promise<unknown> = Promise.resolve()
  #over = false
  #fault: DriverError | undefined

  /** @param store the store's name, for messages */
  constructor(client: pg.Client, names: StatementNames, store: string) {
    this.#client = client
    this.#names = names
    this.#store = store
  }

  /** The first query's that failed: since then the server takes nothing more in this transaction. */
  get fault(): DriverError | undefined {
    return this.#fault
  }

  /** Refuses what comes from here on; resolves when what was asked for before is answered. */
  async end(): Promise<void> {
    this.#over = true
    await this.#last
  }

  /** Runs a query; rejects with DriverError, `closed` once the work is over. */
  executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.#over) {
      return Promise.reject(new DriverError('closed', 'this transaction is over; await each query inside it'))
    }
    const answered = this.#last.then(() => this.#run<R>(query))
    this.#last = answered.catch(() => {})
    return answered
  }

  /** Gives all rows at once. */
  async *streamQuery<R>(query: CompiledQuery): AsyncGenerator<QueryResult<R>> {
    yield await this.executeQuery<R>(query)
  }

  async #run<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.#fault) throw this.#fault
    const { stream } = this.#client.connection
    try {
      const { sql: text } = query
      // all that is asked in this turn goes in one write: a system call costs more than a statement's bytes
      stream.cork()
      process.nextTick(() => stream.uncork())
      return toResult<R>(await this.#client.query({ text, values: bindable(query), name: this.#names.of(text) }))
    } catch (error) {
      this.#fault = toDriverError(error, this.#store)
      throw this.#fault
    }
  }
}
