import { existsSync } from 'node:fs'
import type { BusCounts } from '../../drivers/bus/transfer.ts'
import { isEmbedded } from '../../drivers/by-scheme.ts'
import { openCache } from '../../drivers/cache/open.ts'
import type { Clock } from '../../drivers/clock.ts'
import { freeBytes } from '../../drivers/write-probe.ts'
import { LEAVE_BYTES, megabytes } from '../backup/room.ts'
import { openDataFolder } from '../data-folder.ts'
import { AppError } from '../errors.ts'
import { withoutPassword } from '../secrets/address-text.ts'
import type { BusDigest } from './bus-digest.ts'
import { type BusMove, endBus, moveBus, planBus } from './bus-move.ts'
import { databasesInTheWay, setDatabasesAside } from './fresh-databases.ts'
import { holdFolder } from './hold-folder.ts'
import { type Backend, type Move, noteMoves, readMoves } from './move-notes.ts'
import { type KeepingRole, type MovedService, movedServices } from './moved-services.ts'
import { runName, type Way } from './run-name.ts'
import {
  endService,
  type MovedTable,
  moveService,
  planService,
  type ServicePlan,
  type Step,
  type StoreMove,
} from './store-move.ts'
import { whereaboutsOf } from './whereabouts.ts'

/** What is moved while no platform runs. */
export interface MigrationOptions {
  /** The data folder, where embedded stores and messages are, or are to be. */
  readonly data: string
  readonly store?: Way | undefined
  readonly bus?: Way | undefined
  /** The cache that is to be used: nothing of it is moved. */
  readonly cache?: string | undefined
  readonly roles: readonly KeepingRole[]
  /** Whether databases in the way are set aside. */
  readonly force: boolean
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly onProgress: (step: Step) => void
}

/** What is there to move. */
export interface MigrationPlan {
  readonly store?: { readonly from: string; readonly to: string; readonly services: readonly ServicePlan[] }
  readonly bus?: { readonly from: string; readonly to: string } & BusCounts
  readonly cache?: { readonly to: string }
}

/** What was moved, and is the same on both sides. */
export interface Migrated {
  readonly plan: MigrationPlan
  readonly tables: readonly MovedTable[]
  readonly bus?: BusDigest
  /** Where databases are that stood in the way. */
  readonly aside?: string
}

const BACKENDS = ['store', 'bus'] as const
/** The embedded bus's database, without `.db`. */
const BUS = 'bus'
/** Milliseconds that a cache has to answer. */
const CHECK_MS = 5_000
/** How much more a database in a data folder takes than one elsewhere, at most, its log included. */
const ROOM = 2

/** Says what would be moved, after all that can be checked is; nothing is written. Throws as `migrate` does. */
export function planMigration(options: MigrationOptions): Promise<MigrationPlan> {
  return held(options, planOf)
}

/**
 * Moves what a platform keeps from one kind of store and bus to another, while it does not run, and compares both sides. Ended at any moment, it goes on with
 * what is left when it is done again. A data folder whose data have left refuses a platform from then on (move-notes.ts).
 * @throws AppError `USAGE`; `CONFLICT` while a platform runs on either side, for a target that holds something else and for sides that aren't the same in
 * the end; `DISK_FULL`; DriverError for what a server refuses; the signal's reason
 */
export function migrate(options: MigrationOptions): Promise<Migrated> {
  return held(options, async (run) => {
    const plan = await planOf(run)
    wantRoom(options, plan)
    const { services, stores, bus, inTheWay } = run
    const aside = await setDatabasesAside(options.data, inTheWay, options.clock)
    await note(options, plan, 'begun')
    const tables: MovedTable[] = []
    if (stores) for (const service of services) tables.push(...(await moveService(service, stores)))
    const digest = bus && (await moveBus(bus))
    await note(options, plan, 'done')
    const moved = new Set(tables.map(({ service }) => service))
    if (stores) for (const service of services) if (moved.has(service.name)) await endService(service, stores)
    if (bus && digest) await endBus(bus)
    return { plan, tables, ...(digest && { bus: digest }), ...(aside !== undefined && { aside }) }
  })
}

/** Everything that one run works with. */
interface Run {
  readonly options: MigrationOptions
  readonly services: readonly MovedService[]
  readonly stores?: StoreMove
  readonly bus?: BusMove
  /** Databases that are set aside first, without `.db`. */
  readonly inTheWay: readonly string[]
}

/** Does something while no platform can start on the data folder. */
async function held<T>(options: MigrationOptions, work: (run: Run) => Promise<T>): Promise<T> {
  const { data, store, bus, roles, clock, signal, onProgress } = options
  refuseWrongWays(options)
  openDataFolder(data)
  const services = store ? await movedServices(roles, { url: store.from, folder: data }) : []
  const names = services.map(({ name }) => name)
  const release = holdFolder(data, [...roles.map(({ service }) => service), ...names, BUS])
  try {
    const common = { signal, onProgress }
    const place = (url: string) => ({ url, folder: data, clock })
    return await work({
      options,
      services,
      ...(store && { stores: { ...common, ...moveOf(options, 'store', store, place) } }),
      ...(bus && { bus: { ...common, ...moveOf(options, 'bus', bus, place) } }),
      inTheWay: [...inTheWay(options, 'store', names), ...inTheWay(options, 'bus', [BUS])],
    })
  } finally {
    release()
  }
}

/** Throws AppError `USAGE` for what leads nowhere, `CONFLICT` for what has left the data folder already, or isn't whole there. */
function refuseWrongWays({ data, ...options }: MigrationOptions): void {
  for (const backend of BACKENDS) {
    const way = options[backend]
    if (way === undefined) continue
    if (withoutPassword(way.from) === withoutPassword(way.to)) {
      throw new AppError('USAGE', `the ${backend} is at ${withoutPassword(way.to)} already: name where it is to go`)
    }
    if (!isEmbedded(way.from)) continue
    if (!existsSync(data))
      throw new AppError('USAGE', `there is no data folder ${data}: name the platform's with --data`)
    const move = readMoves(data)[backend]
    if (move && move.state !== 'leaving') {
      const what =
        move.state === 'left'
          ? `left for ${move.server} already (${move.at})`
          : `is not all there yet (it comes from ${move.server})`
      throw new AppError('CONFLICT', `the ${backend} of ${data} ${what}`)
    }
  }
}

function moveOf<P>(options: MigrationOptions, backend: Backend, { from, to }: Way, place: (url: string) => P) {
  return {
    from: place(from),
    to: place(to),
    run: runName(options.data, { from, to }),
    // in a data folder only what is coming already, or nothing, is left there by then
    isCleared: isEmbedded(to) && readMoves(options.data)[backend]?.state !== 'coming',
  }
}

function inTheWay({ data, force, ...options }: MigrationOptions, backend: Backend, names: readonly string[]) {
  const way = options[backend]
  return way && isEmbedded(way.to) ? databasesInTheWay({ data, backend, names, force }) : []
}

async function planOf({ options, services, stores, bus }: Run): Promise<MigrationPlan> {
  const { cache, store, signal } = options
  if (cache !== undefined) await checkCache(cache, options)
  const plans: ServicePlan[] = []
  for (const service of services) {
    signal.throwIfAborted()
    const plan = stores && (await planService(service, stores))
    if (plan) plans.push(plan)
  }
  const counts = bus && (await planBus(bus))
  return {
    ...(store && { store: { ...shown(store), services: plans } }),
    ...(options.bus && counts && { bus: { ...shown(options.bus), ...counts } }),
    ...(cache !== undefined && { cache: { to: withoutPassword(cache) } }),
  }
}

function shown({ from, to }: Way): Way {
  return { from: withoutPassword(from), to: withoutPassword(to) }
}

/** Nothing of a cache is moved: only that it answers. Rejects with DriverError. */
async function checkCache(url: string, { clock, signal }: MigrationOptions): Promise<void> {
  const cache = await openCache({ url, prefix: 'migration:', clock })
  try {
    await cache.check(AbortSignal.any([signal, AbortSignal.timeout(CHECK_MS)]))
  } finally {
    await cache.close()
  }
}

/** Throws AppError `DISK_FULL`; of a server nobody knows before it says so. */
function wantRoom({ data, store, bus }: MigrationOptions, plan: MigrationPlan): void {
  const stores =
    store && isEmbedded(store.to) ? (plan.store?.services ?? []).reduce((sum, { bytes }) => sum + bytes, 0) : 0
  const messages = bus && isEmbedded(bus.to) ? (plan.bus?.bytes ?? 0) : 0
  const [wanted, free] = [(stores + messages) * ROOM, freeBytes(data)]
  if (wanted === 0 || free >= wanted + LEAVE_BYTES) return
  throw new AppError(
    'DISK_FULL',
    `the disk of ${data} has ${megabytes(free)} free, and what is to come wants ${megabytes(wanted + LEAVE_BYTES)}: free some, or name another folder`,
  )
}

/** Writes down in the data folder what leaves it, or comes: in one write, so that nobody finds half of a move done. */
async function note({ data, clock }: MigrationOptions, plan: MigrationPlan, when: 'begun' | 'done'): Promise<void> {
  const at = new Date(clock.now()).toISOString()
  const became: Partial<Record<Backend, Move | undefined>> = {}
  for (const backend of BACKENDS) {
    const way = plan[backend]
    if (way === undefined) continue
    if (isEmbedded(way.from)) became[backend] = { state: when === 'begun' ? 'leaving' : 'left', server: way.to, at }
    else if (isEmbedded(way.to))
      became[backend] = when === 'begun' ? { state: 'coming', server: way.from, at } : undefined
    else if (when === 'done' && isAt(data, backend, way.from)) became[backend] = { state: 'left', server: way.to, at }
  }
  await noteMoves(data, became)
}

/** Whether what a data folder held of a backend is on this server by now: of the moves of others it says nothing. */
function isAt(data: string, backend: Backend, server: string): boolean {
  const found = whereaboutsOf(data, backend)
  return found.at === 'server' && found.server === server
}
