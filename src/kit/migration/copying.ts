import type { Store, StoreSnapshot } from '../../drivers/store/contract.ts'
import { CHANGES_TABLE } from '../../drivers/store/sqlite-changes.ts'
import { lastSerial, raiseSerial, type TableShape, tableShapes } from '../../drivers/store/table-shapes.ts'
import { CHECKPOINTS_TABLE } from '../filled-store.ts'
import type { Collection, KeptData } from '../kept-data.ts'
import { noteCheckpoint, readCheckpoint } from './checkpoints.ts'
import { meantTexts } from './kept-texts.ts'
import { rowBatches } from './row-batches.ts'
import { keyOf, tableRows } from './table-rows.ts'

/** Of Kysely's own; the target's are made by its migrations. */
const OF_MIGRATIONS = ['kysely_migration', 'kysely_migration_lock']

/** What of one service is moved, as the tables of both stores have it. */
export interface Moved {
  readonly collections: readonly Collection[]
  /** Columns for which the target gives out numbers. */
  readonly serials: readonly Serial[]
}

/** A column for which a database gives out numbers, in both stores' tables. */
interface Serial {
  readonly column: string
  readonly from: TableShape
  readonly to: TableShape
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
  const pairs = tables.map((from) => ({ from, to: target.get(from.name) ?? { ...from, columns: [] } }))
  const rows = pairs.map(({ from, to }) => tableRows(from, to))
  return {
    collections: [...(texts ? rows.map((one) => meantTexts(one, texts)) : rows), ...collections],
    // also outside of the key, as places in a queue: what comes next mustn't come before what is copied
    serials: pairs.flatMap(({ from, to }) =>
      to.columns.filter(({ isGenerated }) => isGenerated).map(({ name }) => ({ column: name, from, to })),
    ),
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

/** Has the target give out numbers behind the last ones that the source has and gave out. To be called once all is copied. Rejects with DriverError. */
export async function moveSerials(
  serials: readonly Serial[],
  from: Pick<StoreSnapshot, 'db'>,
  to: Store<unknown>,
): Promise<void> {
  if (serials.length === 0) return
  const last = new Map<Serial, number>()
  for (const serial of serials) last.set(serial, await lastSerial(from.db, serial.from, serial.column))
  await to.transaction(async (trx) => {
    for (const [{ to: shape, column }, number] of last) await raiseSerial(trx, shape, column, number)
  })
}
