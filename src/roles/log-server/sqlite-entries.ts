import { type Kysely, sql } from 'kysely'
import type { Store } from '../../drivers/store/contract.ts'
import { pause } from '../../kit/pause.ts'
import type { EntryFilter, EntryRow, EntryStorage } from './entry-storage.ts'
import type { Found } from './found.ts'
import { inChunks } from './row-chunks.ts'
import type { SearchQuery } from './search-query.ts'
import { SqliteEntryList } from './sqlite-entry-list.ts'
import type { SqliteEntryTables } from './sqlite-entry-tables.ts'

/** Rows counted between two turns of the event loop. */
const STEP_COUNT = 20_000

/** The entries in SQLite, with FTS5 as their index. */
export class SqliteEntries implements EntryStorage {
  readonly #store: Store<SqliteEntryTables>

  constructor(store: Store<SqliteEntryTables>) {
    this.#store = store
  }

  insert(rows: readonly EntryRow[]): Promise<void> {
    return this.#store.transaction(async (trx) => {
      for (const chunk of inChunks(rows)) await trx.insertInto('log_entries').values(chunk).execute()
    })
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

  deleteOldest(limit: number, below: number): Promise<number> {
    return this.#store.transaction(async (trx) => {
      const oldest = trx.selectFrom('log_entries').select('id').where('id', '<', below).orderBy('id').limit(limit)
      const { numDeletedRows } = await trx.deleteFrom('log_entries').where('id', 'in', oldest).executeTakeFirstOrThrow()
      return Number(numDeletedRows)
    })
  }

  async count(signal: AbortSignal): Promise<number> {
    let count = 0
    let below: number | undefined = Number.MAX_SAFE_INTEGER
    while (below !== undefined && !signal.aborted) {
      const step = await countBelow(this.#store.longReads, below)
      count += step.count
      below = step.lowest
      await pause(1, signal)
    }
    return count
  }
}

async function countBelow(
  db: Kysely<SqliteEntryTables>,
  below: number,
): Promise<{ count: number; lowest: number | undefined }> {
  const ids = db.selectFrom('log_entries').select('id').where('id', '<', below).orderBy('id', 'desc').limit(STEP_COUNT)
  const row = await db
    .selectFrom(ids.as('step'))
    .select(({ fn }) => [fn.countAll<number>().as('count'), fn.min('id').as('lowest')])
    .executeTakeFirstOrThrow()
  const count = Number(row.count)
  return { count, lowest: count < STEP_COUNT ? undefined : row.lowest }
}
