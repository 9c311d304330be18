import { type Kysely, sql } from 'kysely'
import type { Store, StoreOptions } from '../drivers/store/contract.ts'
import { dialectOf } from '../drivers/store/dialect.ts'
import { openStore } from '../drivers/store/open.ts'

/** In every store that is filled, beside the service's own tables: how far a migration has come (migration/checkpoints.ts). */
export const CHECKPOINTS_TABLE = 'msvc_migration'
/** The row that says which run fills it; no table has that name. */
export const RUN = ''

/** Which run a store is filled by; undefined for none. Rejects with DriverError. */
export async function runOf<DB>(db: Kysely<DB>): Promise<string | undefined> {
  const { rows: tables } = await dialectOf(db).findTable(CHECKPOINTS_TABLE).execute(db)
  if (tables.length === 0) return undefined
  const { rows } = await sql<{ run: string }>`
    select last_key as run from ${sql.table(CHECKPOINTS_TABLE)} where name = ${RUN}`.execute(db)
  return rows[0]?.run
}

/** Takes the checkpoints away: the store is one like any other. Rejects with DriverError. */
export async function endRun<DB>(store: Pick<Store<DB>, 'transaction'>): Promise<void> {
  await store.transaction(async (trx) => {
    await sql`drop table if exists ${sql.table(CHECKPOINTS_TABLE)}`.execute(trx)
  })
}

/**
 * Opens a store for the service that keeps things in it. One that a migration has filled, and was ended before it could say that it has, is one like any other
 * from then on: what the service writes is not taken for a copy that may be made anew. Throws what `openStore` throws.
 */
export async function openServiceStore<DB>(options: StoreOptions): Promise<Store<DB>> {
  const store = await openStore<DB>(options)
  try {
    if ((await runOf(store.db)) !== undefined) await endRun(store)
    return store
  } catch (fault) {
    await store.close()
    throw fault
  }
}
