import type { Store, StorePlace, StoreSnapshot } from '../../drivers/store/contract.ts'
import { openStore, readStore } from '../../drivers/store/open.ts'
import { lastSerial, storeBytes } from '../../drivers/store/table-shapes.ts'
import { AppError } from '../errors.ts'
import { endRun } from '../filled-store.ts'
import type { Collection } from '../kept-data.ts'
import { checksumOf } from './checksum.ts'
import { copyRows, moveSerials, startAnew, whatMoves } from './copying.ts'
import { type MovedService, wantSameVersion } from './moved-services.ts'
import { fillStore, wantFillable } from './store-filling.ts'

/** Where stores are moved from and to, without the services' names. */
export interface StoreMove {
  readonly from: Omit<StorePlace, 'name'>
  readonly to: Omit<StorePlace, 'name'>
  /** Names the run. */
  readonly run: string
  /** Whether what stands in the target's place is set aside before, so that it doesn't matter what it holds. Default false. */
  readonly isCleared?: boolean
  readonly signal: AbortSignal
  readonly onProgress: (step: Step) => void
}

/** What is under way, and how much of it is done. */
export interface Step {
  readonly what: string
  readonly done: number
  readonly of: number
}

/** What there is of one service. */
export interface ServicePlan {
  readonly service: string
  readonly bytes: number
  readonly tables: readonly { readonly name: string; readonly rows: number }[]
}

/** What is the same on both sides now. */
export interface MovedTable {
  readonly service: string
  readonly table: string
  readonly rows: number
  /** See `checksumOf`. */
  readonly checksum: string
}

/**
 * Looks at both sides, changes nothing, and says what is there to move; undefined where a service has no store yet. Throws AppError `CONFLICT` for a target
 * that holds something of others, or is of another version; rejects with DriverError.
 */
export async function planService(
  service: MovedService,
  { from, to, run, isCleared = false }: StoreMove,
): Promise<ServicePlan | undefined> {
  const { name } = service
  const source = await readStore({ ...from, name }, { alone: true })
  if (source === undefined) return undefined
  try {
    await wantSameVersion(source, service)
    if (!isCleared) await wantFillable({ ...to, name }, run, service.keeps)
    const tables: { name: string; rows: number }[] = []
    for (const collection of (await whatMoves(source, source, service.keeps)).collections) {
      tables.push({ name: collection.name, rows: await collection.count(source.db) })
    }
    return { service: name, bytes: await storeBytes(source.db), tables }
  } finally {
    await source.close()
  }
}

/**
 * Copies a service's store and compares both sides; what was copied before the source went on is copied anew. Rejects with DriverError, AppError `CONFLICT`
 * where both sides are not the same in the end, and the signal's reason.
 * @returns what was compared; none where there was nothing to move
 */
export async function moveService(service: MovedService, move: StoreMove): Promise<readonly MovedTable[]> {
  const { name, keeps } = service
  const source = await readStore({ ...move.from, name })
  if (source === undefined) return []
  let target: Store<unknown> | undefined
  try {
    target = await fillStore({ ...move.to, name }, move.run, keeps)
    const { collections, serials } = await whatMoves(source, target, keeps)
    const moved: MovedTable[] = []
    for (const collection of collections) moved.push(await moveCollection(name, collection, source, target, move))
    await moveSerials(serials, source, target)
    for (const { from, to, column } of serials) {
      const [wanted, found] = [await lastSerial(source.db, from, column), await lastSerial(target.db, to, column)]
      if (found < wanted) throw differs(name, to.name, `it would give out ${found + 1} again`)
    }
    return moved
  } finally {
    await target?.close()
    await source.close()
  }
}

/** The stores are filled, and like any other from now on. Rejects with DriverError. */
export async function endService({ name, keeps }: MovedService, { to }: Pick<StoreMove, 'to'>): Promise<void> {
  const target = await openStore<unknown>({ ...to, name, migrations: keeps.migrations })
  try {
    await endRun(target)
  } finally {
    await target.close()
  }
}

async function moveCollection(
  service: string,
  collection: Collection,
  from: StoreSnapshot,
  to: Store<unknown>,
  { signal, onProgress }: StoreMove,
): Promise<MovedTable> {
  const table = collection.name
  const rows = await collection.count(from.db)
  const counting = (what: string, of: number) => {
    let done = 0
    return (more: number) => {
      done += more
      onProgress({ what: `${what} ${service}'s ${table}`, done, of })
    }
  }
  for (let attempt = 1; ; attempt++) {
    await copyRows(collection, { from, to, signal, onCopied: counting('copying', rows) })
    const onRead = counting('comparing', 2 * rows)
    const original = await checksumOf(from.db, collection, { signal, onRead })
    const copy = await checksumOf(to.db, collection, { signal, onRead })
    if (original.rows === copy.rows && original.sum === copy.sum) {
      return { service, table, rows: copy.rows, checksum: copy.sum }
    }
    if (attempt > 1) throw differs(service, table, `${copy.rows} rows, where there should be ${original.rows}`)
    await startAnew(collection, to)
  }
}

function differs(service: string, table: string, how: string): AppError {
  return new AppError(
    'CONFLICT',
    `${service}'s ${table} is not the same on both sides: ${how}; does something else write to either?`,
  )
}
