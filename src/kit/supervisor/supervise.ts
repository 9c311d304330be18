import type { Clock } from '../../drivers/clock.ts'
import { AppError } from '../errors.ts'
import { aborted, pause } from '../pause.ts'
import { appliedUnits } from './applied-units.ts'
import { type Changes, NO_CHANGES } from './control-protocol.ts'
import { Keeper, type KeeperTools, KILL_AFTER_MS } from './keeper.ts'
import { reasonOf } from './reason.ts'
import type { Started, Unit } from './unit.ts'
import { isDecided, type UnitChange, type UnitReport, type UnitState } from './unit-state.ts'
import { stopWaves, unitWaves } from './waves.ts'

export interface SuperviseOptions {
  readonly units: readonly Unit[]
  readonly clock: Clock
  /** Asked before each start: resolves as soon as it may be; never rejects. Default: at once. */
  readonly admit?: (unit: Unit) => Promise<void>
  /** Told of every change of state, in order. */
  readonly onChange: (change: UnitChange) => void
  /** Told of a unit that ended by itself, before the next one is started: the registry must forget it. Waited for up to half a second. */
  readonly onLost: (lost: Started) => Promise<void>
}

/** A running platform. */
export interface Supervision {
  /**
   * Resolves when every essential unit has been ready once, and every other has been too, has ended, or had time enough. Rejects, all stopped again,
   * when an essential one refuses to start or `stop` was called.
   */
  readonly ready: Promise<void>
  /** All units, in the order in which they were given. */
  reports(): readonly UnitReport[]
  /** By the units' names. */
  states(): ReadonlyMap<string, UnitState>
  /**
   * Starts units that were stopped, have finished or failed; resolves when they are ready, or the signal fires. Rejects with AppError `NOT_FOUND` for a name
   * that none has, and `START_FAILED` when one ends before, or isn't ready after a minute; it is kept trying.
   */
  start(names: readonly string[], signal: AbortSignal): Promise<void>
  /** Stops units, in reverse order of starting; they stay stopped. Rejects with AppError `NOT_FOUND`. */
  halt(names: readonly string[]): Promise<void>
  /** Stops and starts units: all at once, or one after the other, each when the one before it is ready. Rejects as `start`; then the rest stays as it is. */
  restart(names: readonly string[], how: { readonly rolling: boolean }, signal: AbortSignal): Promise<void>
  /**
   * From now on runs these units: those that are gone are stopped, new ones started, those of which has changed what they can be told while they run are told
   * it, those with another definition restarted; nothing else is touched. One plan after the other is applied, and what is asked of units meanwhile is
   * done after it.
   */
  apply(units: readonly Unit[]): Promise<Changes>
  /** Resolves when each of these units is ready, has ended or failed, after 10 s, or when the signal fires. Units that there aren't are settled. */
  settle(names: readonly string[], signal: AbortSignal): Promise<void>
  /** Stops everything, in reverse order of starting; what has not ended in time is killed. May be called twice. */
  stop(): Promise<void>
}

/** How long is waited for units that a platform can do without before it is said how far they are, milliseconds. */
const SETTLE_MS = 10_000
/** How long somebody who starts a unit waits for it, milliseconds: a large program in a virtual machine takes half of it. */
const READY_MS = 60_000

/**
 * Runs units: launches all at once, starts each when what it needs is ready, starts again what ends by itself or hangs (keeper.ts), and stops in reverse
 * order. An essential unit that refuses to start before the platform was ready once stops it all: the person who starts it must know.
 */
export function supervise(options: SuperviseOptions): Supervision {
  const { clock, onChange, onLost, admit = async () => {} } = options
  unitWaves(options.units)
  let keepers = new Map<string, Keeper>()
  const stopping = new AbortController()
  const failed = Promise.withResolvers<never>()
  let wasReady = false
  let stopped: Promise<void> | undefined
  /** Resolves when others keep the units than now. */
  let replaced = Promise.withResolvers<void>()
  /** Resolves when the last plan that was given is applied, or can't be; absent when none is under way. */
  let applying: Promise<void> | undefined

  const tools: KeeperTools = {
    clock,
    admit,
    onChange,
    onLost,
    async needed({ needs }) {
      const areReady = () =>
        Promise.all(all().flatMap(({ unit, firstReady }) => (needs.includes(unit.replicaOf) ? [firstReady] : [])))
      // what is replaced before it was ready never will be: its successor is waited for then
      while (!(await Promise.race([areReady().then(() => true), replaced.promise.then(() => false)]))) {}
    },
    onRefused(fault) {
      if (wasReady) return false
      failed.reject(fault)
      return true
    },
  }

  const all = () => [...keepers.values()]

  function named(names: readonly string[]): readonly Keeper[] {
    return names.map((name) => {
      const keeper = keepers.get(name)
      if (!keeper) throw new AppError('NOT_FOUND', `there is no unit ${name}`)
      return keeper
    })
  }

  async function halt(some: readonly Keeper[]): Promise<void> {
    for (const wave of stopWaves(some.map(({ unit }) => unit)))
      await Promise.all(wave.map(({ name }) => keepers.get(name)?.stop()))
  }

  /** Stops those who are nobody's from now on. */
  async function retire(some: readonly Keeper[]): Promise<void> {
    await halt(some)
    for (const keeper of some) keeper.retire()
  }

  /** Resolves when no plan is being applied: until then who keeps a unit may be about to be replaced. So it does when the signal fires. */
  async function undisturbed(signal: AbortSignal): Promise<void> {
    while (applying && !signal.aborted) await Promise.race([applying, aborted(signal)])
  }

  /** Those who keep units, once nothing of these is on its way out. They may not be begun with once the signal has fired. */
  async function atRest(names: readonly string[], signal: AbortSignal): Promise<readonly Keeper[]> {
    for (;;) {
      await undisturbed(signal)
      if (signal.aborted) return []
      const some = named(names)
      const leaving = some.filter(({ isLeaving }) => isLeaving)
      if (leaving.length === 0) return some
      await Promise.race([Promise.all(leaving.map((keeper) => keeper.ended())), aborted(signal)])
    }
  }

  async function start(names: readonly string[], asking: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([asking, stopping.signal])
    const some = await atRest(names, signal)
    if (signal.aborted) return
    for (const keeper of some) keeper.start()
    const patience = AbortSignal.any([signal, AbortSignal.timeout(READY_MS)])
    await Promise.all(
      some.map(async (keeper) => {
        const state = await keeper.decided(patience)
        if (!signal.aborted) refuseUnready(keeper.unit, state)
      }),
    )
  }

  async function restart(names: readonly string[], asking: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([asking, stopping.signal])
    await undisturbed(signal)
    if (signal.aborted) return
    await halt(named(names))
    // what was stopped comes back although nobody waits for it any more, unless a plan without it was applied meanwhile
    await undisturbed(stopping.signal)
    if (stopping.signal.aborted) return
    const still = names.filter((name) => keepers.has(name))
    for (const keeper of named(still)) keeper.start()
    await start(still, asking)
  }

  async function roll(names: readonly string[], asking: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([asking, stopping.signal])
    await undisturbed(signal)
    if (signal.aborted) return
    named(names)
    for (const name of names) {
      if (keepers.has(name)) await restart([name], asking)
      if (signal.aborted) return
    }
  }

  /** Tells units what has changed for them; gives what came of it. */
  async function reload(some: readonly Keeper[]): Promise<readonly Reloaded[]> {
    return Promise.all(
      some.map(async (keeper) => {
        try {
          return { keeper, isTold: await keeper.reload() }
        } catch (fault) {
          return { keeper, isTold: false, why: reasonOf(fault) }
        }
      }),
    )
  }

  function apply(units: readonly Unit[]): Promise<Changes> {
    const mine = applying ? applying.then(() => change(units)) : change(units)
    const over: Promise<void> = mine.then(
      () => done(over),
      () => done(over),
    )
    applying = over
    return mine
  }

  function done(over: Promise<void>): void {
    if (applying === over) applying = undefined
  }

  async function change(units: readonly Unit[]): Promise<Changes> {
    unitWaves(units)
    const next = appliedUnits(
      all().map(({ unit }) => unit),
      units,
    )
    for (const unit of next.adopted) keepers.get(unit.name)?.adopt(unit)
    const toldLast = named(next.toldLast)
    const first = await reload(named(next.told))
    await retire(named([...next.gone, ...next.changed]))
    // what those that end still need changes behind them
    const reloaded = [...first, ...(await reload(toldLast))]
    const unable = reloaded.filter(({ why }) => why !== undefined)
    await retire(unable.map(({ keeper }) => keeper))
    if (stopping.signal.aborted) throw new AppError('STOPPING', 'The platform is stopping')
    const renewed = new Set([...next.changed, ...unable.map(({ keeper }) => keeper.unit.name)])
    keepers = new Map(
      units.map((unit) => {
        const running = renewed.has(unit.name) ? undefined : keepers.get(unit.name)
        return [unit.name, running ?? new Keeper(unit, tools)]
      }),
    )
    replaced.resolve()
    replaced = Promise.withResolvers()
    for (const { name } of units) if (renewed.has(name) || next.fresh.includes(name)) keepers.get(name)?.start()
    return {
      ...NO_CHANGES,
      started: next.fresh,
      stopped: next.gone,
      restarted: [...renewed],
      reloaded: reloaded.flatMap(({ keeper, isTold }) => (isTold ? [keeper.unit.name] : [])),
      notes: unable.map(({ keeper, why }) => `${keeper.unit.name} could not be reloaded: ${why}`),
    }
  }

  async function settle(names: readonly string[], asking: AbortSignal): Promise<void> {
    const over = AbortSignal.any([asking, stopping.signal, AbortSignal.timeout(SETTLE_MS)])
    await Promise.all(names.map((name) => keepers.get(name)?.decided(over)))
  }

  async function stopAll(): Promise<void> {
    stopping.abort(new AppError('STOPPING', 'The platform is stopping'))
    for (const keeper of all()) keeper.retire()
    // before it was ready as a whole there are no requests to wait for
    const drainMs = wasReady ? Math.max(0, ...all().map(({ unit }) => unit.drainMs)) : 0
    const end = clock.monotonic() + drainMs + KILL_AFTER_MS
    const over = new AbortController()
    const deadline = setTimeout(() => {
      for (const keeper of all()) keeper.kill()
    }, drainMs + KILL_AFTER_MS)
    for (const wave of stopWaves(all().map(({ unit }) => unit))) {
      const ending = wave.flatMap(({ name }) => keepers.get(name) ?? [])
      for (const keeper of ending) keeper.ask()
      // one stream that doesn't end must not eat up the time of those who come after
      const patience = pause((end - clock.monotonic()) / 2, over.signal)
      await Promise.race([Promise.all(ending.map(({ exited }) => exited)), patience])
    }
    await Promise.all(all().map((keeper) => keeper.ended()))
    clearTimeout(deadline)
    over.abort()
  }

  const stop = () => (stopped ??= stopAll())
  keepers = new Map(options.units.map((unit) => [unit.name, new Keeper(unit, tools)]))
  for (const keeper of all()) keeper.start()
  /** Resolves as `settled` does, for those who keep the units by then. */
  async function allSettled(): Promise<void> {
    const once = () => settled(all(), stopping.signal).then(() => true)
    while (!(await Promise.race([once(), replaced.promise.then(() => false)]))) {}
  }

  const ready = Promise.race([
    allSettled(),
    failed.promise,
    aborted(stopping.signal).then(() => Promise.reject(stopping.signal.reason)),
  ]).then(
    () => {
      wasReady = true
    },
    async (fault: unknown) => {
      await stop()
      throw fault
    },
  )
  return {
    ready,
    reports: () => all().map(({ report }) => report),
    states: () => new Map(all().map(({ unit, state }) => [unit.name, state])),
    start,
    async halt(names) {
      await undisturbed(stopping.signal)
      if (!stopping.signal.aborted) await halt(named(names))
    },
    restart: (names, { rolling }, signal) => (rolling ? roll : restart)(names, signal),
    apply,
    settle,
    stop,
  }
}

/** What came of a reload. */
interface Reloaded {
  readonly keeper: Keeper
  /** Whether what runs of it goes by what is new. */
  readonly isTold: boolean
  /** Why it can't; then it is to be restarted. */
  readonly why?: string
}

/** The others shall stay as they are when one doesn't come back. */
function refuseUnready({ name }: Unit, state: UnitState): void {
  if (state.at === 'backing-off' || state.at === 'failed')
    throw new AppError('START_FAILED', `${name} did not get ready: ${state.why}`)
  if (isDecided(state)) return
  const doing = 'doing' in state && state.doing !== undefined ? ` (${state.doing})` : ''
  throw new AppError('START_FAILED', `${name} is not ready after ${READY_MS / 1_000} s${doing}; it goes on starting`)
}

/** Resolves when what is essential is ready, and for the rest there is nothing more to wait for. */
async function settled(keepers: readonly Keeper[], signal: AbortSignal): Promise<void> {
  await Promise.all(keepers.flatMap(({ unit, firstReady }) => (unit.essential ? [firstReady] : [])))
  const over = new AbortController()
  const others = keepers.flatMap(({ unit, firstReady, firstEnd }) =>
    unit.essential ? [] : [Promise.race([firstReady, firstEnd])],
  )
  await Promise.race([Promise.all(others), pause(SETTLE_MS, AbortSignal.any([signal, over.signal]))])
  over.abort()
}
