import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import type { CompiledQuery, QueryResult } from 'kysely'
import { DriverError } from '../driver-error.ts'
import { LruMap } from '../lru-map.ts'
import type { SqliteFile } from './sqlite-file.ts'

/** Statements kept ready a connection. A role has some dozens; only generated SQL (lists of `in`) reaches this. */
const KEPT_STATEMENTS = 256

/**
 * What may be kept prepared. Not DDL, which changes the very schema it was prepared for, nor PRAGMA, some of which take
 * effect when they are prepared and not when they run (https://sqlite.org/pragma.html).
 */
const KEPT = /^\s*(?:select|insert|update|delete|replace|with)\b/i

interface Prepared {
  readonly statement: StatementSync
  readonly hasRows: boolean
}

/** Runs compiled queries on one connection, preparing each SQL text once. */
export class SqliteStatements {
  readonly #database: DatabaseSync
  readonly #file: Pick<SqliteFile, 'driverError'>
  readonly #kept = new LruMap<string, Prepared>(KEPT_STATEMENTS)

  /** @param file whose connection it is */
  constructor(database: DatabaseSync, file: Pick<SqliteFile, 'driverError'>) {
    this.#database = database
    this.#file = file
  }

  /** Runs a query and gives its rows, or how many it changed. Throws DriverError. */
  run<R>(query: CompiledQuery): QueryResult<R> {
    try {
      const { statement, hasRows } = this.#prepared(query.sql)
      const parameters = bindable(query)
      if (hasRows) return { rows: statement.all(...parameters) as R[] }
      const { changes, lastInsertRowid } = statement.run(...parameters)
      return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) }
    } catch (error) {
      throw this.#file.driverError(error)
    }
  }

  /** Gives a query's rows one by one; the statement stays open until the last, or until the caller leaves. Throws DriverError. */
  *iterate<R>(query: CompiledQuery): Generator<R> {
    try {
      // Not a kept one: running it again while it is half way through would start it anew.
      const statement = this.#database.prepare(query.sql)
      for (const row of statement.iterate(...bindable(query))) yield row as R
    } catch (error) {
      throw this.#file.driverError(error)
    }
  }

  #prepared(sql: string): Prepared {
    const kept = this.#kept.get(sql)
    if (kept !== undefined) return kept
    const statement = this.#database.prepare(sql)
    const prepared = { statement, hasRows: statement.columns().length > 0 }
    if (KEPT.test(sql)) this.#kept.set(sql, prepared)
    return prepared
  }
}

/**
 * A query's parameters, which node:sqlite checks one by one, save the first: it takes an object there for named
 * parameters and moves the others up by one, so that a Date would be dropped and its neighbour written in its column.
 */
export function bindable({ parameters }: CompiledQuery): readonly SQLInputValue[] {
  const first = parameters[0]
  if (typeof first === 'object' && first !== null && !ArrayBuffer.isView(first)) {
    throw new DriverError('invalid', 'a parameter is an object; SQLite keeps null, numbers, text and bytes')
  }
  return parameters as readonly SQLInputValue[]
}
