import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely'
import { DriverError } from '../../driver-error.ts'
import type { Attempts } from './attempts.ts'
import { READ_ONLY, serverFault, toDriverError } from './errors.ts'
import type { Pool } from './pool.ts'
import { bindable, StatementNames, toResult } from './values.ts'

/** What a reader works with. */
export interface ReaderOptions {
  readonly attempts: Attempts
  /** For messages. */
  readonly store: string
  /** Of connections that refuse to write. */
  readonly pool: Pool
}

/** The connections behind `db` or `longReads`, for any number of callers at once. A read is repeated where its connection was lost. */
export class PostgresReader implements DatabaseConnection {
  readonly #options: ReaderOptions
  readonly #names = new StatementNames()

  constructor(options: ReaderOptions) {
    this.#options = options
  }

  /** Runs a query; rejects with DriverError. */
  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const { attempts, pool, store } = this.#options
    const { sql: text } = query
    const statement = { text, values: bindable(query), name: this.#names.of(text) }
    return attempts.run(async () => {
      try {
        return toResult<R>(await pool.use(({ client }) => client.query(statement)))
      } catch (error) {
        if (serverFault(error)?.code !== READ_ONLY) throw toDriverError(error, store)
        throw new DriverError('invalid', 'this connection only reads; a write belongs in `transaction`')
      }
    })
  }

  /** Gives all rows at once. */
  async *streamQuery<R>(query: CompiledQuery): AsyncGenerator<QueryResult<R>> {
    yield await this.executeQuery<R>(query)
  }
}
