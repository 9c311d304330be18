import { type Kysely, sql } from 'kysely'
import { systemClock } from '../../drivers/clock.ts'
import type { Store } from '../../drivers/store/contract.ts'
import { dialectOf } from '../../drivers/store/dialect.ts'
import type { Collection, KeptData } from '../../kit/kept-data.ts'
import type { EntryRow } from './entry-row.ts'
import { EntryDays } from './postgres-entry-days.ts'
import { insertRows, restoredRow } from './postgres-rows.ts'
import { wordsFor } from './sql-words.ts'
import { type LogTables, logMigrations } from './tables.ts'

/** Columns of one statement's rows, as SQLite takes 32 766 parameters. */
const STATEMENT_ROWS = 1_000

const COLUMNS = sql.raw('id, at, level, service, instance, message, trace_id, span_id, metadata, details')

/** The days of each store that have a partition, so that they are looked for once. */
const daysOf = new WeakMap<object, EntryDays>()

/** The entries, whichever way a store keeps them and finds their words. */
const entries: Collection = {
  name: 'log_entries',
  key: ['id'],
  async count(db) {
    const { rows } = await sql<{ count: number }>`select count(*) as count from log_entries`.execute(db)
    return rows[0]?.count ?? 0
  },
  async read(db, { after: [after = -1] = [], limit }) {
    const query = sql<EntryRow>`select ${COLUMNS} from log_entries where id > ${after} order by id limit ${limit}`
    return read(db, (await query.execute(db)).rows)
  },
  async find(db, keys) {
    if (keys.length === 0) return []
    const query = sql<EntryRow>`select ${COLUMNS} from log_entries where id in (${sql.join(keys.map(([id]) => id))})`
    return read(db, (await query.execute(db)).rows)
  },
  async prepare(store, rows) {
    if (dialectOf(store.db).name === 'sqlite') return
    const days = daysOf.get(store) ?? new EntryDays(store as Store<unknown> as Store<LogTables>, systemClock)
    daysOf.set(store, days)
    await days.makeFor(rows.map(({ id }) => Number(id)))
  },
  async write(trx, rows) {
    const all = rows as unknown as readonly EntryRow[]
    await entries.remove(
      trx,
      all.map(({ id }) => [id]),
    )
    const db = trx as unknown as Kysely<LogTables>
    if (dialectOf(trx).name !== 'sqlite') return insertRows(db, all)
    for (let at = 0; at < all.length; at += STATEMENT_ROWS) {
      await db
        .insertInto('log_entries')
        .values(all.slice(at, at + STATEMENT_ROWS))
        .execute()
    }
  },
  // not replaced in one statement: what finds SQLite's words hears only of rows that are deleted
  async remove(trx, keys) {
    for (let at = 0; at < keys.length; at += STATEMENT_ROWS) {
      const ids = keys.slice(at, at + STATEMENT_ROWS).map(([id]) => id)
      await sql`delete from log_entries where id in (${sql.join(ids)})`.execute(trx)
    }
  },
  async clear(trx) {
    await sql`delete from log_entries`.execute(trx)
  },
}

/** What the log server keeps. Who sweeps, and who was told of what, is a matter of each store. */
export const keptLogs: KeptData = {
  migrations: logMigrations,
  collections: [entries],
  texts: wordsFor,
  leaves: ['log_arrivals', 'log_place', 'log_keeper'],
}

function read(db: Kysely<unknown>, rows: readonly EntryRow[]) {
  const found = dialectOf(db).name === 'sqlite' ? rows : rows.map(restoredRow)
  return found.map((row) => ({ ...row }))
}
