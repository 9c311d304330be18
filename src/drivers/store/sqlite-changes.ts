import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { DriverError } from '../driver-error.ts'
import { isBusy } from '../sqlite-results.ts'
import { asDamage } from '../sqlite-soundness.ts'
import type { TableShape } from './table-shapes.ts'

/** Beside a store's own tables while its changes are noted. */
export const CHANGES_TABLE = 'msvc_changes'
/** Milliseconds a lock held by the store's own process is waited for. */
const BUSY_MS = 5_000

/** A table, and what its rows are told apart by. */
export type KeyedTable = Pick<TableShape, 'name' | 'key'>

/**
 * Has a store note from now on which of its rows are added, changed or deleted, whoever does it: triggers write the row's key into a table of the store, in the
 * same transaction. What was noted before is forgotten. SQLite's session extension would see the changes of one connection alone
 * (https://sqlite.org/sessionintro.html). Throws DriverError `unavailable` when the store is locked for seconds, `damaged`; what node:sqlite throws.
 * @param path the store's file
 */
export function beginNoting(path: string, tables: readonly KeyedTable[]): void {
  inTransaction(path, (database) => {
    forget(database)
    database.exec(`create table ${CHANGES_TABLE} (seq integer primary key, name text not null, key text not null)`)
    for (const [number, table] of tables.entries()) {
      for (const [what, note] of Object.entries(notesOf(table))) {
        database.exec(
          `create trigger ${CHANGES_TABLE}_${number}_${what} after ${what} on ${quoted(table.name)} begin ${note} end`,
        )
      }
    }
  })
}

/** Takes away what `beginNoting` made; does nothing to a store without it, or where there is none. Throws as that does. */
export function endNoting(path: string): void {
  if (existsSync(path)) inTransaction(path, forget)
}

/** What is noted of each kind of statement. A row whose key changes is gone by its old one. */
function notesOf({ name, key }: KeyedTable): Readonly<Record<'insert' | 'update' | 'delete', string>> {
  const keyIn = (row: 'old' | 'new') => `json_array(${key.map((column) => `${row}.${quoted(column)}`).join()})`
  const note = (row: 'old' | 'new', condition = '') =>
    `insert into ${CHANGES_TABLE} (name, key) select '${name.replaceAll("'", "''")}', ${keyIn(row)} ${condition};`
  return {
    insert: note('new'),
    update: `${note('old', `where ${keyIn('old')} <> ${keyIn('new')}`)} ${note('new')}`,
    delete: note('old'),
  }
}

function forget(database: DatabaseSync): void {
  const left = database.prepare(
    `select name from sqlite_master where type = 'trigger' and name like '${CHANGES_TABLE}\\_%' escape '\\'`,
  )
  for (const { name } of left.all()) database.exec(`drop trigger ${quoted(String(name))}`)
  database.exec(`drop table if exists ${CHANGES_TABLE}`)
}

function inTransaction(path: string, work: (database: DatabaseSync) => void): void {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path, { timeout: BUSY_MS })
    database.exec('pragma synchronous = full; begin immediate')
    work(database)
    database.exec('commit')
  } catch (fault) {
    if (isBusy(fault)) {
      throw new DriverError('unavailable', `${path} is locked by another process, which doesn't let go of it`, {
        cause: fault,
      })
    }
    throw asDamage(fault, path)
  } finally {
    database?.close()
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
