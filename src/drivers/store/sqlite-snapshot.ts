import { existsSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely'
import type { StoreSnapshot } from './contract.ts'
import { readingKysely } from './kysely-face.ts'
import type { SqliteFile } from './sqlite-file.ts'
import { SQLITE_PARTS } from './sqlite-kysely.ts'
import { SqliteStatements } from './sqlite-statements.ts'

/** Reads a store's file as it is now; undefined where there is none. Throws DriverError. */
export function readFile(file: SqliteFile): StoreSnapshot | undefined {
  if (!existsSync(file.path)) return undefined
  const database = file.openReader()
  try {
    database.exec('begin; select 1 from sqlite_master')
  } catch (error) {
    database.close()
    throw file.driverError(error)
  }
  const close = async () => {
    if (database.isOpen) database.close()
  }
  return { ...snapshotOn(database, file), close }
}

/**
 * What a connection sees whose transaction is open already, such as one of several databases' at one instant (sqlite-instant.ts); who opened it closes it.
 * @param file whose connection it is
 */
function snapshotOn(database: DatabaseSync, file: Pick<SqliteFile, 'driverError'>): StoreSnapshot {
  const db = readingKysely<unknown>(new OneSnapshot(new SqliteStatements(database, file)), SQLITE_PARTS)
  return { db, close: async () => {} }
}

class OneSnapshot implements DatabaseConnection {
  readonly #statements: SqliteStatements

  constructor(statements: SqliteStatements) {
    this.#statements = statements
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    return this.#statements.run<R>(query)
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncGenerator<QueryResult<R>> {
    yield this.#statements.run<R>(query)
  }
}
