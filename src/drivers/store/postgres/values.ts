import type { CompiledQuery, QueryResult } from 'kysely'
import pg from 'pg'
import { DriverError } from '../../driver-error.ts'

/** What may be kept prepared, as with SQLite: DDL changes the very schema that it was prepared for. */
const KEPT = /^\s*(?:select|insert|update|delete|with)\b/i
/** Statements kept prepared a connection, the first that come: generated ones (lists of `in`) have no end, and node-postgres forgets none. */
const KEPT_STATEMENTS = 256
/** Types of parameters: Kysely asks which tables there are with a boolean. */
const KEEPABLE = /^(?:null|number|string|bigint|boolean)$/
const COUNTED = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE'])

/** Integers come as numbers, as from SQLite. */
export const SAME_VALUES: pg.CustomTypesConfig = {
  getTypeParser: (id, format) => {
    if (id === pg.types.builtins.INT8) return toSafeInteger
    return pg.types.getTypeParser(id, format)
  },
}

function toSafeInteger(text: string): number {
  const number = Number(text)
  if (Number.isSafeInteger(number)) return number
  throw new DriverError('invalid', `the integer ${text} is larger than JavaScript counts exactly`)
}

/** Gives each SQL text a name under which connections keep it prepared; undefined for those that aren't kept. */
export class StatementNames {
  readonly #names = new Map<string, string>()

  of(sql: string): string | undefined {
    const known = this.#names.get(sql)
    if (known !== undefined || this.#names.size >= KEPT_STATEMENTS || !KEPT.test(sql)) return known
    const name = `msvc-${this.#names.size}`
    this.#names.set(sql, name)
    return name
  }
}

/** A query's parameters. Throws DriverError `invalid` for what no column keeps: a Date, say, which would be written in the server's own way. */
export function bindable({ parameters }: CompiledQuery): unknown[] {
  for (const value of parameters) {
    const isKeepable = KEEPABLE.test(value === null ? 'null' : typeof value) || ArrayBuffer.isView(value)
    if (!isKeepable) throw new DriverError('invalid', 'a parameter is none of null, number, text and bytes')
  }
  return [...parameters]
}

/** What a query gave, as Kysely wants it. */
export function toResult<R>({ command, rowCount, rows }: pg.QueryResult): QueryResult<R> {
  return { rows, ...(COUNTED.has(command) && { numAffectedRows: BigInt(rowCount ?? 0) }) }
}
