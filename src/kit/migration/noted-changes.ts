import { type Kysely, sql } from 'kysely'
import type { Store, StoreSnapshot } from '../../drivers/store/contract.ts'
import { CHANGES_TABLE } from '../../drivers/store/sqlite-changes.ts'
import type { Collection, RowKey } from '../kept-data.ts'
import { sizeOf } from './row-batches.ts'

/** Changes that are read at a time. */
const AT_A_TIME = 2_000
/** Bytes of rows that one transaction writes, about. */
const BATCH_BYTES = 4_000_000

/** How changes are followed. */
export interface FollowOptions {
  /** The store that notes them (sqlite-changes.ts), as of one instant. */
  readonly from: Pick<StoreSnapshot, 'db'>
  readonly to: Store<unknown>
  readonly collections: readonly Collection[]
  /** The number of the last change that the target has; 0 for none. */
  readonly behind: number
  readonly signal: AbortSignal
}

/** How far a store follows another. */
export interface Followed {
  /** The number of the last change that it has. */
  readonly last: number
  /** How many more they are; what changed twice counts twice. */
  readonly count: number
}

/**
 * Makes the rows that changed what they are by now, however often they did. First all of them go, so that unique values may change hands, and then those that
 * are there come: until it resolves the target fits no instant of the source. It may be ended at any moment and done again from the same place. Rejects with
 * DriverError, and the signal's reason.
 */
export async function followChanges(options: FollowOptions): Promise<Followed> {
  const { from, to, behind } = options
  for await (const page of pages(options)) {
    await to.transaction(async (trx) => {
      for (const { collection, keys } of page.changed) await collection.remove(trx, keys)
    })
  }
  let followed: Followed = { last: behind, count: 0 }
  for await (const { changed, last, count } of pages(options)) {
    for (const { collection, keys } of changed) await write(collection, await collection.find(from.db, keys), to)
    followed = { last, count: followed.count + count }
  }
  return followed
}

async function write(collection: Collection, rows: Awaited<ReturnType<Collection['find']>>, to: Store<unknown>) {
  const bytes = rows.reduce((sum, row) => sum + sizeOf(row), 1)
  const size = Math.max(1, Math.floor((BATCH_BYTES / bytes) * rows.length))
  for (let at = 0; at < rows.length; at += size) {
    const part = rows.slice(at, at + size)
    await collection.prepare?.(to, part)
    await to.transaction((trx) => collection.write(trx, part))
  }
}

/** Some changes, and of which rows they are. */
interface Page {
  readonly last: number
  readonly count: number
  readonly changed: readonly { readonly collection: Collection; readonly keys: readonly RowKey[] }[]
}

async function* pages({ from, collections, behind, signal }: FollowOptions): AsyncGenerator<Page> {
  for (let place = behind; ; ) {
    signal.throwIfAborted()
    const rows = await changesBehind(from.db, place)
    const last = rows.at(-1)?.seq
    if (last === undefined) return
    const byName = Map.groupBy(rows, ({ name }) => name)
    const changed = collections.flatMap((collection) => {
      const texts = new Set(byName.get(collection.name)?.map(({ key }) => key))
      return texts.size === 0 ? [] : [{ collection, keys: [...texts].map((text): RowKey => JSON.parse(text)) }]
    })
    yield { last, count: rows.length, changed }
    place = last
  }
}

/** A change that a store has noted. */
interface Change {
  readonly seq: number
  readonly name: string
  /** A JSON list. */
  readonly key: string
}

async function changesBehind(db: Kysely<unknown>, seq: number): Promise<readonly Change[]> {
  const { rows } = await sql<Change>`
    select seq, name, key from ${sql.table(CHANGES_TABLE)} where seq > ${seq} order by seq limit ${AT_A_TIME}`.execute(
    db,
  )
  return rows
}
