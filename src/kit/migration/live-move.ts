import type { Clock } from '../../drivers/clock.ts'
import type { StoreSnapshot } from '../../drivers/store/contract.ts'
import { differences, type Places } from '../config/places.ts'
import { movesOf } from '../cutover/verdict.ts'
import { AppError, messageOf } from '../errors.ts'
import type { KeptData } from '../kept-data.ts'
import { pause } from '../pause.ts'
import type { ControlClient } from '../supervisor/control-client.ts'
import { Done, Moved } from '../supervisor/control-protocol.ts'
import { LiveBus } from './live-bus.ts'
import { LiveStore } from './live-store.ts'
import { noteChanges, stopNoting } from './noting.ts'
import { runName } from './run-name.ts'

/** Where a live move is. */
export type LivePhase =
  /** All is copied as it is; what the copies have by now. */
  | { readonly at: 'copying'; readonly rows: number; readonly messages: number }
  /** What changed meanwhile is copied, again and again; what the last round had to copy, and how long that took. */
  | { readonly at: 'catching-up'; readonly round: number; readonly changes: number; readonly ms: number }
  /** Requests wait. */
  | { readonly at: 'switching'; readonly attempt: number }
  /** The platform serves from the new places; the copy is compared with what it was made of. */
  | { readonly at: 'comparing'; readonly pausedMs: number }

/** What is moved, and how. */
export interface LiveMoveOptions {
  readonly from: Places
  readonly to: Places
  /** What keeps something in a store. */
  readonly services: readonly { readonly service: string; readonly keeps: KeptData }[]
  readonly control: ControlClient
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Gives a name that no other try has. */
  readonly newId: () => string
  /** Milliseconds for which requests may wait until it is decided. Default 1 200, so that they don't wait 2 s in all. */
  readonly budgetMs?: number
  readonly onPhase: (phase: LivePhase) => void
}

/** How a live move went. */
export interface LiveOutcome {
  /** The longest that a request can have waited, milliseconds. */
  readonly pausedMs: number
  /** Of these, how many until the roles were held, and how many until the last changes were copied. */
  readonly heldMs: number
  readonly copiedMs: number
  /** Tries to switch that came to nothing before. */
  readonly attempts: number
  readonly rows: number
  readonly messages: number
  /** What differs between the old places and the new ones as they were when they were switched; nothing, if all is well. */
  readonly differing: readonly string[]
}

const BUDGET_MS = 1_200
/** Of the budget, milliseconds that are left for the word that decides. */
const DECIDING_MS = 100
/** Changes that are left for the switch, and how long the round before it may have taken, milliseconds. */
const FEW_CHANGES = 2_000
const SHORT_MS = 400
/** Rounds of catching up after which it is given up. */
const MOST_ROUNDS = 50
const MOST_ATTEMPTS = 5
/** Between two tries to switch, milliseconds. */
const RETRY_MS = 2_000

/**
 * Moves a platform to other places while it serves: copies all, follows what changes, and when little is left holds the platform, copies that, and has it begin on
 * the new places. Until that moment the old places alone count, and whatever fails, or ends this process, leaves the platform as it was. Rejects with an AppError or
 * DriverError that says why it didn't come about.
 */
export async function moveLive(options: LiveMoveOptions): Promise<LiveOutcome> {
  const { from, to, control, signal } = options
  const moved = differences(from, to)
  const parts: Parts = { stores: [], bus: undefined, rows: 0, messages: 0 }
  try {
    if (moved.includes('store')) parts.stores = await openStores(options)
    if (moved.includes('bus')) {
      const place = (url: string, folder: string) => ({ url, folder, clock: options.clock })
      const run = runName(from.data, { from: from.bus, to: to.bus })
      parts.bus = await LiveBus.open(place(from.bus, from.data), place(to.bus, to.data), run)
    }
    await control.ask({ do: 'copy' }, Done, signal)
    await control.ask({ do: 'prepare', to }, Done, signal)
    noteChanges(
      from.data,
      parts.stores.map(({ noting }) => noting),
    )
    await copyAll(parts, options)
    for (let attempt = 1; ; attempt++) {
      await catchUp(parts, options)
      options.onPhase({ at: 'switching', attempt })
      const tried = await trySwitch(parts, options)
      if (tried.at === 'moved') return await conclude(parts, options, { ...tried, attempts: attempt })
      if (attempt === MOST_ATTEMPTS) throw tried.why
      await pause(RETRY_MS, signal)
    }
  } finally {
    stopNoting(from.data)
    await Promise.all([...parts.stores, parts.bus].map((part) => part?.close()))
  }
}

/** What is copied, and how much by now. */
interface Parts {
  stores: readonly LiveStore[]
  bus: LiveBus | undefined
  rows: number
  messages: number
}

async function openStores({ from, to, services }: LiveMoveOptions): Promise<readonly LiveStore[]> {
  const opened: LiveStore[] = []
  const run = runName(from.data, { from: from.store, to: to.store })
  try {
    for (const { service: name, keeps } of services) {
      const store = await LiveStore.open({
        from: { url: from.store, name, folder: from.data },
        to: { url: to.store, name, folder: to.data },
        keeps,
        run,
      })
      if (store) opened.push(store)
    }
    return opened
  } catch (fault) {
    await Promise.all(opened.map((store) => store.close()))
    throw fault
  }
}

async function copyAll(parts: Parts, { signal, onPhase }: LiveMoveOptions): Promise<void> {
  const tell = () => onPhase({ at: 'copying', rows: parts.rows, messages: parts.messages })
  const bus = async () => {
    await parts.bus?.follow(signal, (messages) => {
      parts.messages += messages
      tell()
    })
    // most by far: later only those are left that came since
    const differing = (await parts.bus?.compareMessages(signal)) ?? []
    if (differing.length > 0) {
      const what = `the copy differs from what it was made of (${differing.join(', ')})`
      throw new AppError('CONFLICT', `${what}: take the streams of the new bus away, or name another, and try again`)
    }
  }
  const stores = async () => {
    for (const store of parts.stores) {
      await store.copy(signal, (rows) => {
        parts.rows += rows
        tell()
      })
    }
  }
  await Promise.all([bus(), stores()])
}

/** Copies what changed until little is left. */
async function catchUp(parts: Parts, { clock, signal, onPhase }: LiveMoveOptions): Promise<void> {
  for (let round = 1; round <= MOST_ROUNDS; round++) {
    const since = clock.monotonic()
    const counts = await Promise.all([
      parts.bus?.follow(signal) ?? 0,
      ...parts.stores.map((store) => store.follow(signal).then(({ count }) => count)),
    ])
    const changes = counts.reduce((sum, count) => sum + count, 0)
    const ms = clock.monotonic() - since
    onPhase({ at: 'catching-up', round, changes, ms })
    // the first round had all to copy that changed during the copy: only a later one tells how fast it goes
    if (round > 1 && changes <= FEW_CHANGES && ms <= SHORT_MS) return
  }
  throw new AppError(
    'UNAVAILABLE',
    'the platform changes faster than the new places take it: try again when it has less to do',
  )
}

/** How a try to switch ended. */
type Tried =
  | ({ readonly at: 'moved'; readonly instants: readonly StoreSnapshot[] } & Pick<
      LiveOutcome,
      'pausedMs' | 'heldMs' | 'copiedMs'
    >)
  | { readonly at: 'stayed'; readonly why: unknown }

async function trySwitch(parts: Parts, options: LiveMoveOptions): Promise<Tried> {
  const { control, from, to, clock, signal, newId, budgetMs = BUDGET_MS } = options
  const id = newId()
  const since = clock.monotonic()
  const instants: StoreSnapshot[] = []
  let [heldMs, copiedMs] = [0, 0]
  try {
    await control.ask({ do: 'hold', id, to, budget_ms: budgetMs }, Done, signal)
    heldMs = clock.monotonic() - since
    const left = Math.ceil(budgetMs - DECIDING_MS - heldMs)
    const intime = AbortSignal.any([signal, AbortSignal.timeout(Math.max(1, left))])
    await Promise.all([
      parts.bus?.finish(intime),
      ...parts.stores.map(async (store, at) => {
        instants[at] = await store.finish(intime)
      }),
    ])
    intime.throwIfAborted()
    copiedMs = clock.monotonic() - since - heldMs
    // from here on only the platform knows how it ends
    const { paused_ms: pausedMs } = await control.ask({ do: 'move', id }, Moved, NEVER)
    return { at: 'moved', pausedMs, heldMs, copiedMs, instants }
  } catch (why) {
    // the platform may have ended before it could say that it has moved
    if (movesOf(from.data).some((move) => move.id === id)) {
      return { at: 'moved', pausedMs: clock.monotonic() - since, heldMs, copiedMs, instants }
    }
    await control.ask({ do: 'resume', id }, Done, NEVER).catch(() => {})
    await Promise.all(instants.map((instant) => instant?.close()))
    signal.throwIfAborted()
    if (why instanceof AppError && why.code === 'UNAVAILABLE') throw why
    return { at: 'stayed', why }
  }
}

const NEVER = new AbortController().signal

/** Compares what was copied, now that nobody waits for it, and takes away what only the copying needed. */
async function conclude(
  parts: Parts,
  { signal, onPhase }: LiveMoveOptions,
  { pausedMs, heldMs, copiedMs, instants, attempts }: Extract<Tried, { at: 'moved' }> & { readonly attempts: number },
): Promise<LiveOutcome> {
  onPhase({ at: 'comparing', pausedMs })
  const differing = [...(await compareBus(parts, signal))]
  await parts.bus?.end()
  for (const [at, store] of parts.stores.entries()) {
    const instant = instants[at]
    if (!instant) continue
    try {
      differing.push(...(await store.compare(instant, signal)))
    } catch (fault) {
      differing.push(`${store.noting.name}, which could not be compared: ${messageOf(fault)}`)
    } finally {
      await instant.close()
    }
    await store.end()
  }
  return { pausedMs, heldMs, copiedMs, attempts, rows: parts.rows, messages: parts.messages, differing }
}

/** First of all: brokers take messages away that all have done with, as time goes by. */
async function compareBus({ bus }: Parts, signal: AbortSignal): Promise<readonly string[]> {
  try {
    return (await bus?.compare(signal)) ?? []
  } catch (fault) {
    return [`the bus, which could not be compared: ${messageOf(fault)}`]
  }
}
