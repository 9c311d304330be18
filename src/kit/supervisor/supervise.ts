import type { Clock } from '../../drivers/clock.ts'
import { AppError } from '../errors.ts'
import { behindRole } from '../part-words.ts'
import { aborted, pause } from '../pause.ts'
import { type Ends, endsAfter, NO_ENDS, restartDelay } from './backoff.ts'
import { endOf } from './liveness.ts'
import { reasonOf, startFailure } from './reason.ts'
import type { Inheritance, LaunchedUnit, Started, Unit } from './unit.ts'
import { unitWaves } from './waves.ts'

/** Where a unit is in its life; `last`: what it was when it was ready, and where. */
export type UnitState =
  | { readonly at: 'waiting' }
  | { readonly at: 'starting'; readonly last?: Started }
  | ({ readonly at: 'ready'; readonly pid: number } & Started)
  /** It was ready, and gives no sign of life. */
  | ({ readonly at: 'silent'; readonly pid: number } & Started)
  | { readonly at: 'backing-off'; readonly delayMs: number; readonly why: string; readonly last?: Started }
  | { readonly at: 'stopped' }

/** A unit that came into another state. */
export interface UnitChange {
  readonly unit: Unit
  readonly state: UnitState
  /** Where it was before. */
  readonly was: UnitState['at']
  /** How often it has been launched; above 1 it is back after an end. */
  readonly life: number
}

/** A unit as it stands, and what it has been through. */
export interface UnitReport {
  readonly unit: Unit
  readonly state: UnitState
  /** How often it was launched again. */
  readonly restarts: number
  /** When it came into its state, milliseconds since 1970; a ready one that was silent for a while is ready all the time. */
  readonly since: number
  /** Why it last ended by itself. Absent: it never did. */
  readonly ended?: string
}

export interface SuperviseOptions {
  readonly units: readonly Unit[]
  readonly clock: Clock
  /** Asked before each start: resolves as soon as it may be; never rejects. Default: at once. */
  readonly admit?: () => Promise<void>
  /** Told of every change of state, in order. */
  readonly onChange: (change: UnitChange) => void
  /** Told of a unit that ended by itself, before the next one is started: the registry must forget it. Waited for up to half a second. */
  readonly onLost: (lost: Started) => Promise<void>
}

/** A running platform. */
export interface Supervision {
  /** Resolves when every unit has been ready once. Rejects, all stopped again, when one refuses to start or `stop` was called. */
  readonly ready: Promise<void>
  /** All units, in the order in which they were given. */
  reports(): readonly UnitReport[]
  /** By the units' names. */
  states(): ReadonlyMap<string, UnitState>
  /** Stops everything, in reverse order of starting; what has not ended in time is killed. May be called twice. */
  stop(): Promise<void>
}

/** Time beyond the drain after which a unit is killed, milliseconds. */
const KILL_AFTER_MS = 2_000
const FORGET_MS = 500
/** How many times as long as a ready unit one may be silent that starts: repairing a large database keeps it from answering. */
const STARTING_PATIENCE = 10

/** How one life of a unit went. */
interface Life {
  readonly why: string
  /** Absent when it never became ready. */
  readonly ready?: { readonly ms: number; readonly started: Started }
}

/** What a unit's earlier lives leave to the next. */
interface Past extends Inheritance {
  /** Resolves when the registry has forgotten it, or was given time enough. */
  readonly forgotten?: Promise<void>
}

/**
 * Runs units: launches all at once, starts each when what it needs is ready, starts again what ends by itself (backoff.ts) or
 * hangs (liveness.ts), and stops in reverse order. A unit that refuses to start before the platform was ready once stops it all: the person who starts it must know.
 */
export function supervise(options: SuperviseOptions): Supervision {
  const { units, clock, onChange, onLost, admit = async () => {} } = options
  const waves = unitWaves(units)
  const states = new Map<string, UnitState>(units.map(({ name }) => [name, { at: 'waiting' }]))
  const reports = new Map<string, UnitReport>(
    units.map((unit) => [unit.name, { unit, state: { at: 'waiting' }, restarts: 0, since: clock.now() }]),
  )
  const launched = new Map<string, LaunchedUnit>()
  const firstReady = new Map(units.map(({ name }) => [name, Promise.withResolvers<void>()]))
  const stopping = new AbortController()
  const whenStopping = aborted(stopping.signal)
  const failed = Promise.withResolvers<never>()
  let wasReady = false
  let stopped: Promise<void> | undefined

  function change(unit: Unit, life: number, state: UnitState) {
    const was = states.get(unit.name)?.at ?? 'waiting'
    states.set(unit.name, state)
    const before = reports.get(unit.name)
    const ended = state.at === 'backing-off' ? state.why : before?.ended
    const since = isUp(was) && isUp(state.at) ? before?.since : undefined
    reports.set(unit.name, {
      unit,
      state,
      restarts: Math.max(0, life - 1),
      since: since ?? clock.now(),
      ...(ended !== undefined && { ended }),
    })
    onChange({ unit, life, state, was })
  }

  /** One life of a unit, from launch to its end; it boots while the registry is told of the one before it. */
  async function live(unit: Unit, life: number, { last, after, forgotten }: Past): Promise<Life> {
    const itself = unit.launch()
    launched.set(unit.name, itself)
    let isReady = false
    const end = endOf(itself, {
      longestMs: () => unit.livenessMs * (isReady ? 1 : STARTING_PATIENCE),
      onSilence(isSilent) {
        const state = states.get(unit.name)
        if (state?.at === 'ready' || state?.at === 'silent')
          change(unit, life, { ...state, at: isSilent ? 'silent' : 'ready' })
      },
    })
    const admitted = Promise.all([needsOf(unit), forgotten]).then(admit)
    await Promise.race([admitted, itself.exited, whenStopping])
    if (stopping.signal.aborted) return { why: await end }
    change(unit, life, { at: 'starting', ...(last && { last }) })
    let started: Started
    try {
      started = await itself.start({ ...(last && { last }), ...(after !== undefined && { after }) })
    } catch (thrown) {
      const vanished = thrown instanceof AppError && thrown.code === 'UNAVAILABLE'
      itself.kill()
      if (!vanished && !wasReady) {
        failed.reject(startFailure(unit.name, thrown))
        // it isn't started again: all is stopped by the next turn
        await pause(0, stopping.signal)
      }
      return { why: vanished ? await end : behindRole(reasonOf(thrown)) }
    }
    const since = clock.monotonic()
    isReady = true
    change(unit, life, { at: 'ready', pid: itself.pid, ...started })
    firstReady.get(unit.name)?.resolve()
    const why = await end
    return { why, ready: { ms: clock.monotonic() - since, started } }
  }

  async function forget(lost: Started): Promise<void> {
    if (stopping.signal.aborted) return
    await Promise.race([onLost(lost).catch(() => {}), pause(FORGET_MS, stopping.signal)])
  }

  async function keep(unit: Unit): Promise<void> {
    let ends: Ends = NO_ENDS
    let life = 0
    let past: Past = {}
    while (!stopping.signal.aborted) {
      const { why, ready } = await live(unit, ++life, past)
      if (ready) past = { last: ready.started, forgotten: forget(ready.started) }
      if (stopping.signal.aborted) break
      past = { ...past, after: why }
      ends = endsAfter(ends, ready?.ms)
      const delayMs = restartDelay(ends)
      change(unit, life, { at: 'backing-off', delayMs, why, ...(past.last && { last: past.last }) })
      await pause(delayMs, stopping.signal)
    }
    change(unit, life, { at: 'stopped' })
  }

  async function needsOf({ needs }: Unit): Promise<void> {
    const needed = units.filter(({ replicaOf }) => needs.includes(replicaOf))
    await Promise.all(needed.map(({ name }) => firstReady.get(name)?.promise))
  }

  async function stopAll(): Promise<void> {
    stopping.abort(new AppError('STOPPING', 'The platform is stopping'))
    // before it was ready as a whole there are no requests to wait for
    const drainMs = wasReady ? Math.max(0, ...units.map(({ drainMs: ms }) => ms)) : 0
    const end = clock.monotonic() + drainMs + KILL_AFTER_MS
    const over = new AbortController()
    const deadline = setTimeout(() => {
      for (const itself of launched.values()) itself.kill()
    }, drainMs + KILL_AFTER_MS)
    for (const wave of waves.toReversed()) {
      for (const { name } of wave) {
        const itself = launched.get(name)
        if (states.get(name)?.at === 'silent') itself?.kill()
        else itself?.stop()
      }
      // one stream that doesn't end must not eat up the time of those who come after
      const patience = pause((end - clock.monotonic()) / 2, over.signal)
      await Promise.race([Promise.all(wave.map(({ name }) => launched.get(name)?.exited)), patience])
    }
    await Promise.all(lives)
    clearTimeout(deadline)
    over.abort()
  }

  const stop = () => (stopped ??= stopAll())
  const lives = units.map((unit) => keep(unit))
  const allReady = Promise.all(units.map(({ name }) => firstReady.get(name)?.promise))
  const ready = Promise.race([
    allReady,
    failed.promise,
    whenStopping.then(() => Promise.reject(stopping.signal.reason)),
  ]).then(
    () => {
      wasReady = true
    },
    async (fault: unknown) => {
      await stop()
      throw fault
    },
  )
  return { ready, reports: () => [...reports.values()], states: () => states, stop }
}

const isUp = (at: UnitState['at']) => at === 'ready' || at === 'silent'
