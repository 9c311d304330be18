import {
  type ConnectionProvider,
  type DatabaseConnection,
  type DatabaseIntrospector,
  DefaultQueryExecutor,
  type Dialect,
  type Driver,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  Transaction,
} from 'kysely'
import { DriverError } from '../driver-error.ts'

/** Kysely's face of a connection that only reads. Its own `transaction()` is refused: the store has one. */
export function readingKysely<DB>(connection: DatabaseConnection): Kysely<DB> {
  return new Kysely<DB>(kyselyProps(connection))
}

/** Kysely's face of a connection inside a transaction that the store begins and ends. */
export function workingTransaction<DB>(connection: DatabaseConnection): Transaction<DB> {
  return new Transaction<DB>(kyselyProps(connection))
}

/**
 * The parts Kysely would build itself, put together without its pool and lock: the connections here answer at once, and
 * queueing for one costs more than a read from SQLite's cache.
 */
function kyselyProps(connection: DatabaseConnection) {
  const provider: ConnectionProvider = { provideConnection: (consumer) => consumer(connection) }
  const dialect = new LentConnectionDialect(connection)
  return {
    config: { dialect },
    dialect,
    driver: dialect.driver,
    executor: new DefaultQueryExecutor(COMPILER, ADAPTER, provider),
  }
}

/** SQLite can undo DDL, which Kysely's own adapter denies; so a migration happens as a whole or not at all. */
class TransactionalDdlAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}

const ADAPTER = new TransactionalDdlAdapter()
const COMPILER = new SqliteQueryCompiler()

class LentConnectionDialect implements Dialect {
  readonly driver: Driver

  constructor(connection: DatabaseConnection) {
    this.driver = new LentConnectionDriver(connection)
  }

  createDriver(): Driver {
    return this.driver
  }

  createAdapter(): SqliteAdapter {
    return ADAPTER
  }

  createQueryCompiler(): SqliteQueryCompiler {
    return COMPILER
  }

  createIntrospector(db: Kysely<unknown>): DatabaseIntrospector {
    return new SqliteIntrospector(db)
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
