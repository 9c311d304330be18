import type { Kysely } from 'kysely'
import type { Collection, KeptRow, RowKey } from '../kept-data.ts'
import { keyOf } from './table-rows.ts'

/** Rows that are read first: they may be large. */
const FIRST_ROWS = 16
/** Rows of one batch at most: one transaction's work. */
const MOST_ROWS = 5_000
/** Bytes that a batch comes to, about: what is read is in memory as a whole. */
const BATCH_BYTES = 2_000_000

/** All rows of a collection behind a key, in batches of some megabytes. Rejects with DriverError, and the signal's reason. */
export async function* rowBatches(
  db: Kysely<unknown>,
  collection: Collection,
  { after, signal }: { readonly after?: RowKey | undefined; readonly signal: AbortSignal },
): AsyncGenerator<readonly KeptRow[]> {
  let place = after
  let limit = FIRST_ROWS
  for (;;) {
    signal.throwIfAborted()
    const rows = await collection.read(db, { after: place, limit })
    const last = rows.at(-1)
    if (last === undefined) return
    yield rows
    if (rows.length < limit) return
    place = keyOf(collection, last)
    const bytes = rows.reduce((sum, row) => sum + sizeOf(row), 1)
    limit = Math.min(MOST_ROWS, Math.max(1, Math.floor((BATCH_BYTES / bytes) * rows.length)), limit * 8)
  }
}

/** About how many bytes a row has. */
export function sizeOf(row: KeptRow): number {
  let size = 0
  for (const value of Object.values(row)) {
    if (typeof value === 'string') size += value.length
    else size += ArrayBuffer.isView(value) ? value.byteLength : 8
  }
  return size
}
