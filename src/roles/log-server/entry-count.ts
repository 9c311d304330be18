import type { Kysely } from 'kysely'
import { pause } from '../../kit/pause.ts'
import type { LogTables } from './tables.ts'

/** Rows counted between two turns of the event loop. */
const STEP_ROWS = 20_000

/** How many entries there are; fewer once `signal` has fired. Rejects with DriverError. */
export async function countEntries(db: Kysely<LogTables>, signal: AbortSignal): Promise<number> {
  let count = 0
  let below: number | undefined = Number.MAX_SAFE_INTEGER
  while (below !== undefined && !signal.aborted) {
    const step = await countBelow(db, below)
    count += step.count
    below = step.lowest
    await pause(1, signal)
  }
  return count
}

async function countBelow(
  db: Kysely<LogTables>,
  below: number,
): Promise<{ count: number; lowest: number | undefined }> {
  const ids = db.selectFrom('log_entries').select('id').where('id', '<', below).orderBy('id', 'desc').limit(STEP_ROWS)
  const row = await db
    .selectFrom(ids.as('step'))
    .select(({ fn }) => [fn.countAll<number>().as('count'), fn.min('id').as('lowest')])
    .executeTakeFirstOrThrow()
  const count = Number(row.count)
  return { count, lowest: count < STEP_ROWS ? undefined : row.lowest }
}
