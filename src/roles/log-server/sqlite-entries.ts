import { sql, type Transaction } from 'kysely'
import type { Clock } from '../../drivers/clock.ts'
import type { Store } from '../../drivers/store/contract.ts'
import { OwnArrivals } from './arrivals.ts'
import { firstIdAt } from './entry-ids.ts'
import type { EntryRow } from './entry-row.ts'
import type { EntryFilter, EntryStorage } from './entry-storage.ts'
import type { Found } from './found.ts'
import { inChunks } from './row-chunks.ts'
import type { SearchQuery } from './search-query.ts'
import { SqliteEntryList } from './sqlite-entry-list.ts'
import type { SqliteEntryTables } from './sqlite-entry-tables.ts'

/** Rows deleted in one transaction: some milliseconds' work. */
const STEP_ROWS = 500

/** The entries in SQLite, with FTS5 as their index. */
export class SqliteEntries implements EntryStorage {
  readonly arrivals = new OwnArrivals()
  readonly idSlots = 1
  readonly #store: Store<SqliteEntryTables>
  readonly #clock: Pick<Clock, 'now'>

  constructor(store: Store<SqliteEntryTables>, clock: Pick<Clock, 'now'>) {
    this.#store = store
    this.#clock = clock
  }

  async insert(rows: readonly EntryRow[]): Promise<void> {
    await this.#store.transaction(async (trx) => {
      for (const chunk of inChunks(rows)) await trx.insertInto('log_entries').values(chunk).execute()
    })
    this.arrivals.came(rows)
  }

  list(filter: EntryFilter, phrases: SearchQuery | undefined, lowest: number): SqliteEntryList {
    return new SqliteEntryList(this.#store.longReads, filter, phrases, lowest)
  }

  async rowsOf(found: readonly Found[]): Promise<readonly EntryRow[]> {
    if (found.length === 0) return []
    const ids = JSON.stringify(found.map(([id]) => id))
    const { rows } = await sql<EntryRow>`
      select * from log_entries where id in (select value from json_each(${ids})) order by id desc`.execute(
      this.#store.longReads,
    )
    return rows
  }

  async prepare(): Promise<void> {}

  deleteExpired(trx: Transaction<SqliteEntryTables>, keepMs: number): Promise<number> {
    return deleteRows(trx, STEP_ROWS, firstIdAt(this.#clock.now() - keepMs))
  }

  deleteOldest(trx: Transaction<SqliteEntryTables>, most: number): Promise<number> {
    return deleteRows(trx, Math.min(most, STEP_ROWS))
  }
}

/** Deletes the oldest entries below an id, at most so many. Returns how many. */
async function deleteRows(
  trx: Transaction<SqliteEntryTables>,
  most: number,
  below = Number.MAX_SAFE_INTEGER,
): Promise<number> {
  const oldest = trx.selectFrom('log_entries').select('id').where('id', '<', below).orderBy('id').limit(most)
  const { numDeletedRows } = await trx.deleteFrom('log_entries').where('id', 'in', oldest).executeTakeFirstOrThrow()
  return Number(numDeletedRows)
}
