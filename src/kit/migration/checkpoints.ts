import { type Kysely, sql, type Transaction } from 'kysely'
import type { Store } from '../../drivers/store/contract.ts'
import { CHECKPOINTS_TABLE, RUN, runOf } from '../filled-store.ts'
import type { RowKey } from '../kept-data.ts'

/** How far a collection is copied. */
export interface Checkpoint {
  /** Of the last row; undefined before the first. */
  readonly after: RowKey | undefined
  readonly rows: number
  readonly isDone: boolean
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
