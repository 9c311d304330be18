import type { DatabaseSync } from 'node:sqlite'

/**
 * Skips numbers that a database would give out next, in every table that never gives one twice (https://sqlite.org/autoinc.html): for a copy that is
 * older than what was given out since. Within a transaction of the caller's. Throws what node:sqlite throws.
 * @param count how many; for a table that has given out none yet, too
 */
export function skipSerials(database: DatabaseSync, count: number): void {
  const tables = database
    .prepare("select name from sqlite_master where type = 'table' and sql like '%autoincrement%'")
    .all()
    .map(({ name }) => String(name))
  if (tables.length === 0) return
  const skip = database.prepare('update sqlite_sequence set seq = seq + ? where name = ?')
  const begin = database.prepare('insert into sqlite_sequence (seq, name) values (?, ?)')
  for (const table of tables) if (skip.run(count, table).changes === 0) begin.run(count, table)
}
