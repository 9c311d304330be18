import type { Store, StoreSnapshot } from '../../drivers/store/contract.ts'
import { CHANGES_TABLE } from '../../drivers/store/sqlite-changes.ts'
import { lastSerial, raiseSerial, type TableShape, tableShapes } from '../../drivers/store/table-shapes.ts'
import type { Collection, KeptData } from '../kept-data.ts'
import { CHECKPOINTS_TABLE, noteCheckpoint, readCheckpoint } from './checkpoints.ts'
import { meantTexts } from './kept-texts.ts'
import { rowBatches } from './row-batches.ts'
import { keyOf, tableRows } from './table-rows.ts'

/** Of Kysely's own; the target's are made by its migrations. */
const OF_MIGRATIONS = ['kysely_migration', 'kysely_migration_lock']

/** What of one service is moved, as the tables of both stores have it. */
export interface Moved {
  readonly collections: readonly Collection[]
  /** Tables that give out numbers. */
  readonly serials: readonly TableShape[]
}

/** What is to be moved of what a service keeps. Rejects with DriverError, `invalid` where the stores don't fit together. */
export async function whatMoves(
  from: Pick<StoreSnapshot, 'db'>,
  to: Pick<StoreSnapshot, 'db'>,
  { collections = [], leaves = [], texts }: KeptData,
): Promise<Moved> {
  const [source, target] = [await tableShapes(from.db), await tableShapes(to.db)]
  const apart = new Set([
    CHECKPOINTS_TABLE,
    CHANGES_TABLE,
    ...OF_MIGRATIONS,
    ...leaves,
    ...collections.map(({ name }) => name),
  ])
  const tables = [...source.values()].filter(({ name }) => !apart.has(name))
  const rows = tables.map((shape) => tableRows(shape, target.get(shape.name) ?? { ...shape, columns: [] }))
  return {
    collections: [...(texts ? rows.map((one) => meantTexts(one, texts)) : rows), ...collections],
    serials: tables.filter(({ serial }) => serial !== undefined),
  }
}

/** How rows are copied. */
export interface CopyOptions {
  readonly from: Pick<StoreSnapshot, 'db'>
  readonly to: Store<unknown>
  readonly signal: AbortSignal
  /** Told how many more rows are in the target. */
  readonly onCopied?: (rows: number) => void
}

/**
 * Copies what of a collection the target doesn't have yet, in the order of its keys. How far it has come is written in the transaction of each batch, so that
 * it may be ended at any moment and goes on from there. Rejects with DriverError, and the signal's reason.
 */
export async function copyRows(collection: Collection, { from, to, signal, onCopied }: CopyOptions): Promise<void> {
  const { name } = collection
  let { after, rows, isDone } = await readCheckpoint(to.db, name)
  onCopied?.(rows)
  if (isDone) return
  for await (const batch of rowBatches(from.db, collection, { after, signal })) {
    await collection.prepare?.(to, batch)
    const last = batch.at(-1)
    after = last && keyOf(collection, last)
    rows += batch.length
    const checkpoint = { after, rows, isDone: false }
    await to.transaction(async (trx) => {
      await collection.write(trx, batch)
      await noteCheckpoint(trx, name, checkpoint)
    })
    onCopied?.(batch.length)
  }
  const checkpoint = { after, rows, isDone: true }
  await to.transaction((trx) => noteCheckpoint(trx, name, checkpoint))
}

/** Takes all rows of a collection out of the target again, to be copied anew. Rejects with DriverError. */
export async function startAnew(collection: Collection, to: Store<unknown>): Promise<void> {
  await to.transaction(async (trx) => {
    await collection.clear(trx)
    await noteCheckpoint(trx, collection.name, { after: undefined, rows: 0, isDone: false })
  })
}

/** Has tables that give out numbers go on behind the last one that the source gave out. Rejects with DriverError. */
export async function moveSerials(
  serials: readonly TableShape[],
  from: Pick<StoreSnapshot, 'db'>,
  to: Store<unknown>,
): Promise<void> {
  for (const shape of serials) {
    const last = await lastSerial(from.db, shape)
    await to.transaction((trx) => raiseSerial(trx, shape, last))
  }
}
