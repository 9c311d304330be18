import { sql } from 'kysely'
import type { Store, StorePlace } from '../../drivers/store/contract.ts'
import { openStore, readStore } from '../../drivers/store/open.ts'
import { tableShapes } from '../../drivers/store/table-shapes.ts'
import { AppError } from '../errors.ts'
import { CHECKPOINTS_TABLE, runOf } from '../filled-store.ts'
import type { KeptData } from '../kept-data.ts'
import { beginRun } from './checkpoints.ts'

/**
 * Opens a store to be filled, its tables made. Throws AppError `CONFLICT` where it holds anything that isn't of this run; rejects with DriverError, `unavailable`
 * where anybody has it open. Nothing is changed then.
 * @param run names the run for good
 */
export async function fillStore(place: StorePlace, run: string, keeps: KeptData): Promise<Store<unknown>> {
  await wantFillable(place, run, keeps)
  const target = await openStore<unknown>({ ...place, migrations: keeps.migrations })
  try {
    await beginRun(target, run)
    return target
  } catch (fault) {
    await target.close()
    throw fault
  }
}

/** Looks whether a store can be filled, and rejects as `fillStore` does. */
export async function wantFillable(place: StorePlace, run: string, { leaves = [] }: KeptData): Promise<void> {
  const target = await readStore(place, { toFill: true, alone: true })
  if (target === undefined) return
  try {
    if ((await runOf(target.db)) === run) return
    for (const { name } of (await tableShapes(target.db)).values()) {
      if (name.startsWith('kysely_') || [...leaves, CHECKPOINTS_TABLE].includes(name)) continue
      const { rows } = await sql<{ count: number }>`select count(*) as count from ${sql.table(name)}`.execute(target.db)
      const count = rows[0]?.count ?? 0
      if (count > 0) throw taken(place, name, count)
    }
  } finally {
    await target.close()
  }
}

function taken({ name }: StorePlace, table: string, rows: number): AppError {
  const advice = `name an empty database, or take that away (drop schema "${name}" cascade)`
  return new AppError(
    'CONFLICT',
    `${name} store: the target holds ${rows} rows in ${table} already, not of this migration: ${advice}`,
  )
}
