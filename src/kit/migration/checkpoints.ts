import { type Kysely, sql, type Transaction } from 'kysely'
import type { Store } from '../../drivers/store/contract.ts'
import { dialectOf } from '../../drivers/store/dialect.ts'
import type { RowKey } from '../kept-data.ts'

/** In every store that is filled, beside the service's own tables. */
export const CHECKPOINTS_TABLE = 'msvc_migration'
/** The row that says which run fills it; no table has that name. */
const RUN = ''

/** How far a collection is copied. */
export interface Checkpoint {
  /** Of the last row; undefined before the first. */
  readonly after: RowKey | undefined
  readonly rows: number
  readonly isDone: boolean
}

/** Which run a store is filled by; undefined for none. Rejects with DriverError. */
export async function runOf(db: Kysely<unknown>): Promise<string | undefined> {
  const { rows: tables } = await dialectOf(db).findTable(CHECKPOINTS_TABLE).execute(db)
  if (tables.length === 0) return undefined
  const { rows } = await sql<{ run: string }>`
    select last_key as run from ${sql.table(CHECKPOINTS_TABLE)} where name = ${RUN}`.execute(db)
  return rows[0]?.run
}

/** Notes which run fills a store, and makes the place for its checkpoints; what another left there is forgotten. Rejects with DriverError. */
export async function beginRun(store: Store<unknown>, run: string): Promise<void> {
  if ((await runOf(store.db)) === run) return
  const table = sql.table(CHECKPOINTS_TABLE)
  await store.transaction(async (trx) => {
    await sql`create table if not exists ${table} (
      name text primary key, last_key text, copied bigint not null, done bigint not null)`.execute(trx)
    await sql`delete from ${table}`.execute(trx)
    await sql`insert into ${table} (name, last_key, copied, done) values (${RUN}, ${run}, 0, 0)`.execute(trx)
  })
}

/** How far a collection is copied. Rejects with DriverError. */
export async function readCheckpoint(db: Kysely<unknown>, name: string): Promise<Checkpoint> {
  const { rows } = await sql<{ last_key: string | null; copied: number; done: number }>`
    select last_key, copied, done from ${sql.table(CHECKPOINTS_TABLE)} where name = ${name}`.execute(db)
  const [row] = rows
  const last = row?.last_key ?? null
  return {
    after: last === null ? undefined : (JSON.parse(last) as RowKey),
    rows: row?.copied ?? 0,
    isDone: row?.done === 1,
  }
}

/** Notes how far a collection is copied, in the transaction that copies. Rejects with DriverError. */
export async function noteCheckpoint(
  trx: Transaction<unknown>,
  name: string,
  { after, rows, isDone }: Checkpoint,
): Promise<void> {
  const last = after === undefined ? null : JSON.stringify(after)
  await sql`insert into ${sql.table(CHECKPOINTS_TABLE)} (name, last_key, copied, done)
    values (${name}, ${last}, ${rows}, ${isDone ? 1 : 0})
    on conflict (name) do update set last_key = excluded.last_key, copied = excluded.copied, done = excluded.done`.execute(
    trx,
  )
}

/** Takes the checkpoints away: the store is one like any other. Rejects with DriverError. */
export async function endRun(store: Store<unknown>): Promise<void> {
  await store.transaction(async (trx) => {
    await sql`drop table if exists ${sql.table(CHECKPOINTS_TABLE)}`.execute(trx)
  })
}
