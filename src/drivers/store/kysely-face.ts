import {
  type ConnectionProvider,
  type DatabaseConnection,
  type DatabaseIntrospector,
  DefaultQueryExecutor,
  type Dialect,
  type DialectAdapter,
  type Driver,
  Kysely,
  type KyselyPlugin,
  type QueryCompiler,
  Transaction,
} from 'kysely'
import { DriverError } from '../driver-error.ts'

/** What Kysely needs to speak with one kind of database. */
export interface KyselyParts {
  readonly adapter: DialectAdapter
  readonly compiler: QueryCompiler
  readonly introspector: (db: Kysely<unknown>) => DatabaseIntrospector
  /** Default none. */
  readonly plugins?: KyselyPlugin[]
}

/** Kysely's face of a connection that only reads. Its own `transaction()` is refused: the store has one. */
export function readingKysely<DB>(connection: DatabaseConnection, parts: KyselyParts): Kysely<DB> {
  return new Kysely<DB>(kyselyProps(connection, parts))
}

/** Kysely's face of a connection inside a transaction that the store begins and ends. */
export function workingTransaction<DB>(connection: DatabaseConnection, parts: KyselyParts): Transaction<DB> {
  return new Transaction<DB>(kyselyProps(connection, parts))
}

/**
 * The parts Kysely would build itself, put together without its pool and lock: which connection a query takes is the store's, and queueing for one
 * costs more than a read from SQLite's cache.
 */
function kyselyProps(connection: DatabaseConnection, parts: KyselyParts) {
  const provider: ConnectionProvider = { provideConnection: (consumer) => consumer(connection) }
  const dialect = new LentConnectionDialect(connection, parts)
  return {
    config: { dialect },
    dialect,
    driver: dialect.driver,
    executor: new DefaultQueryExecutor(parts.compiler, parts.adapter, provider, parts.plugins),
  }
}

class LentConnectionDialect implements Dialect {
  readonly driver: Driver
  readonly #parts: KyselyParts

  constructor(connection: DatabaseConnection, parts: KyselyParts) {
    this.driver = new LentConnectionDriver(connection)
    this.#parts = parts
  }

  createDriver(): Driver {
    return this.driver
  }

  createAdapter(): DialectAdapter {
    return this.#parts.adapter
  }

  createQueryCompiler(): QueryCompiler {
    return this.#parts.compiler
  }

  createIntrospector(db: Kysely<unknown>): DatabaseIntrospector {
    return this.#parts.introspector(db)
  }
}

/** Kysely may borrow the connection; opening, closing and transactions are the store's. */
class LentConnectionDriver implements Driver {
  readonly #connection: DatabaseConnection

  constructor(connection: DatabaseConnection) {
    this.#connection = connection
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection
  }

  async releaseConnection(): Promise<void> {}

  async beginTransaction(): Promise<void> {
    throw new DriverError('invalid', 'db only reads; transactions go through `store.transaction`')
  }

  async commitTransaction(): Promise<void> {}

  async rollbackTransaction(): Promise<void> {}

  async destroy(): Promise<void> {
    throw new DriverError('invalid', "the connection is the store's; call `store.close`")
  }
}
