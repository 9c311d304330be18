import type { DatabaseSync } from 'node:sqlite'

/** Tables that say which subscription a row belongs to; an older version's file has fewer of them. */
const OF_SUBSCRIPTIONS = `
select tables.name from sqlite_master as tables join pragma_table_info(tables.name) as columns
where tables.type = 'table' and columns.name = 'subscription'`

/**
 * Gives every subscription of a bus's file another key, which its acknowledgement tokens name: in a copy that is put back, tokens that were handed out
 * since the copy was taken would acknowledge other messages. Within a transaction of the caller's. Throws what node:sqlite throws.
 * @param skip more than there can be keys that were given since
 */
export function forgetTokens(database: DatabaseSync, skip: number): void {
  const isSetUp = database.prepare("select 1 from sqlite_master where name = 'subscriptions'").get() !== undefined
  // a broker that was just starting
  if (!isSetUp) return
  // by way of negative ones, so that no key meets another that is yet to be changed
  const tables = database.prepare(OF_SUBSCRIPTIONS).all()
  const columns = [['subscriptions', 'key'], ...tables.map(({ name }) => [name, 'subscription'])]
  for (const [table, column] of columns) {
    database.prepare(`update ${table} set ${column} = -(${column} + ?)`).run(skip)
    database.exec(`update ${table} set ${column} = -${column}`)
  }
}
