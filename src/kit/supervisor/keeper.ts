import type { Clock } from '../../drivers/clock.ts'
import { AppError } from '../errors.ts'
import { behindRole } from '../part-words.ts'
import { aborted, pause } from '../pause.ts'
import { type Ends, endsAfter, NO_ENDS, restartDelay } from './backoff.ts'
import { endOf } from './liveness.ts'
import { reasonOf, startFailure } from './reason.ts'
import type { Inheritance, LaunchedUnit, Started, Unit } from './unit.ts'
import { isDecided, isUp, type UnitChange, type UnitReport, type UnitState, unprovenFor } from './unit-state.ts'

/** What keepers share. */
export interface KeeperTools {
  readonly clock: Clock
  /** Resolves when all that a unit needs was ready once. */
  readonly needed: (unit: Unit) => Promise<unknown>
  /** Asked before each start: resolves as soon as it may be; never rejects. */
  readonly admit: (unit: Unit) => Promise<void>
  readonly onChange: (change: UnitChange) => void
  /** Told of a unit that ended by itself, before the next one is started. Waited for up to half a second. */
  readonly onLost: (lost: Started) => Promise<void>
  /** Told of an essential unit that refuses to start; true when all is going to be stopped for it. */
  readonly onRefused: (fault: AppError) => boolean
}

const FORGET_MS = 500
/** Time beyond the drain after which a unit is killed, milliseconds. */
export const KILL_AFTER_MS = 2_000
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
 * Keeps one unit: launches it, starts it when it may, and again when it has ended by itself (backoff.ts) or hangs (liveness.ts), until it is to end.
 */
export class Keeper {
  /** Resolves when the unit was ready once, or had done what it was for. */
  readonly firstReady: Promise<void>
  /** Resolves with why when a life of the unit ended before it was ever ready, or nothing of it is kept any more. */
  readonly firstEnd: Promise<string>
  readonly #tools: KeeperTools
  readonly #ready = Promise.withResolvers<void>()
  readonly #end = Promise.withResolvers<string>()
  #report: UnitReport
  #launched: LaunchedUnit | undefined
  #life = 0
  #endsInARow = 0
  #past: Past = {}
  #leaving = new AbortController()
  #isRetired = false
  #running: Promise<void> | undefined
  #lookers: { readonly holds: (state: UnitState) => boolean; readonly resolve: (state: UnitState) => void }[] = []

  constructor(unit: Unit, tools: KeeperTools) {
    this.#tools = tools
    this.firstReady = this.#ready.promise
    this.firstEnd = this.#end.promise
    this.#report = { unit, state: { at: 'waiting' }, restarts: 0, since: tools.clock.now() }
  }

  get report(): UnitReport {
    return this.#report
  }

  /** What it keeps, as it was planned last. */
  get unit(): Unit {
    return this.#report.unit
  }

  get state(): UnitState {
    return this.#report.state
  }

  /** Whether what it keeps is on its way out: it can be started again when that has ended. */
  get isLeaving(): boolean {
    return this.#running !== undefined && this.#leaving.signal.aborted
  }

  /** Begins to keep the unit. Does nothing while it does, also for the last time, and once it is retired. */
  start(): void {
    if (this.#running || this.#isRetired) return
    this.#leaving = new AbortController()
    if (this.state.at !== 'waiting') this.#change({ at: 'waiting' })
    this.#running = this.#keep()
  }

  /** From now on keeps the unit as it is planned anew: what runs of it goes on, its next start is of the new one. */
  adopt(unit: Unit): void {
    this.#report = { ...this.#report, unit }
  }

  /**
   * Has what runs of the unit take what was planned anew for it; false where nothing is up, which starts with it. Rejects with why it can't, also when it
   * gives no sign that it has.
   */
  async reload(): Promise<boolean> {
    if (!isUp(this.state.at)) return false
    const over = new AbortController()
    const late = pause(this.unit.drainMs + KILL_AFTER_MS, over.signal).then(() => {
      throw new AppError('REQUEST_TIMEOUT', 'it gives no answer')
    })
    try {
      await Promise.race([this.#launched?.reload?.(), late])
      return true
    } catch (fault) {
      // one that has ended is started again by itself, and as it is planned now
      if (fault instanceof AppError && fault.code === 'UNAVAILABLE') return false
      throw fault
    } finally {
      late.catch(() => {})
      over.abort()
    }
  }

  /** From now on the unit isn't started any more, whoever asks; what runs of it goes on. */
  retire(): void {
    this.#isRetired = true
    this.#leave()
  }

  /** Asks what runs of the unit to end; one that gives no sign of life is ended. */
  ask(): void {
    if (this.state.at === 'silent') this.#launched?.kill()
    else this.#launched?.stop()
  }

  /** Ends what runs of the unit at once. */
  kill(): void {
    this.#launched?.kill()
  }

  /** Resolves when what runs of the unit has ended. */
  get exited(): Promise<unknown> {
    return this.#launched?.exited ?? Promise.resolve()
  }

  /** Resolves when nothing of it is kept any more. */
  async ended(): Promise<void> {
    await this.#running
  }

  /** Resolves with the unit's state as soon as one is as wanted, at once when it is; with whatever it is when the signal fires. */
  async until(holds: (state: UnitState) => boolean, signal: AbortSignal): Promise<UnitState> {
    if (holds(this.state)) return this.state
    const looker = { holds, ...Promise.withResolvers<UnitState>() }
    this.#lookers.push(looker)
    await Promise.race([looker.promise, aborted(signal)])
    this.#lookers = this.#lookers.filter((each) => each !== looker)
    return this.state
  }

  /** Resolves with the unit's state once there is nothing to wait for of its start, or with whatever it is when the signal fires. */
  async decided(signal: AbortSignal): Promise<UnitState> {
    const state = await this.until(isDecided, signal)
    const unprovenMs = unprovenFor(this.report, this.#tools.clock.now())
    if (unprovenMs === 0) return state
    return this.until(({ at }) => !isUp(at), AbortSignal.any([signal, AbortSignal.timeout(unprovenMs)]))
  }

  /** Ends the unit in order, and kills it when it has not ended in time. It can be started again. */
  async stop(): Promise<void> {
    if (!this.#running) {
      this.#change({ at: 'stopped' })
      return
    }
    this.#leave()
    this.ask()
    const deadline = setTimeout(() => this.kill(), this.unit.drainMs + KILL_AFTER_MS)
    await this.#running
    clearTimeout(deadline)
  }

  #leave(): void {
    this.#leaving.abort(new AppError('STOPPING', 'The platform is stopping'))
  }

  #change(state: UnitState): void {
    const { unit, state: before, restarts, since: from, ended: last } = this.#report
    if (state.at === 'stopped' && before.at === 'stopped') return
    const ended = state.at === 'backing-off' || state.at === 'failed' ? state.why : last
    const isSame = (isUp(before.at) && isUp(state.at)) || before.at === state.at
    const since = isSame ? from : this.#tools.clock.now()
    this.#report = { unit, state, restarts, since, ...(ended !== undefined && { ended }) }
    this.#tools.onChange({ unit, life: this.#life, endsInARow: this.#endsInARow, state, was: before.at })
    const lookers = this.#lookers
    this.#lookers = lookers.filter(({ holds }) => !holds(state))
    for (const { holds, resolve } of lookers) if (holds(state)) resolve(state)
  }

  async #keep(): Promise<void> {
    const { signal } = this.#leaving
    let ends: Ends = NO_ENDS
    this.#endsInARow = 0
    let outcome: UnitState = { at: 'stopped' }
    while (!signal.aborted) {
      this.#life++
      const { why, ready } = await this.#live(signal)
      if (ready) this.#past = { last: ready.started, forgotten: this.#forget(ready.started, signal) }
      if (signal.aborted) break
      this.#past = { ...this.#past, after: why }
      const next = this.unit.afterEnd(why)
      if (next !== 'finished') this.#end.resolve(why)
      if (next !== 'again') {
        outcome = next === 'finished' ? { at: 'finished' } : { at: 'failed', why }
        break
      }
      ends = endsAfter(ends, ready && ready.ms >= this.unit.provenMs ? ready.ms : undefined)
      this.#endsInARow = ends.inARow
      const { inARow } = ends
      if (inARow > this.unit.restartBudget) {
        outcome = { at: 'failed', why, inARow }
        break
      }
      const delayMs = restartDelay(ends)
      const { last } = this.#past
      this.#change({ at: 'backing-off', delayMs, why, inARow, ...(last && { last }) })
      await pause(delayMs, signal)
      if (!signal.aborted) this.#report = { ...this.#report, restarts: this.#report.restarts + 1 }
    }
    // whoever hears of it may start it again at once
    this.#running = undefined
    this.#change(outcome)
    if (outcome.at === 'finished') this.#ready.resolve()
    else this.#end.resolve(outcome.at)
  }

  /** One life of the unit, from launch to its end; it boots while the registry is told of the one before it. */
  async #live(signal: AbortSignal): Promise<Life> {
    const { unit } = this
    const { clock, needed, admit, onRefused } = this.#tools
    const { last, after, forgotten } = this.#past
    const itself = unit.launch()
    this.#launched = itself
    let isReady = false
    const end = endOf(itself, {
      longestMs: () => unit.livenessMs * (isReady ? 1 : STARTING_PATIENCE),
      onSilence: (isSilent) => {
        const { state } = this
        if (state.at !== 'ready' && state.at !== 'silent') return
        itself.onSilence?.(isSilent)
        this.#change({ ...state, at: isSilent ? 'silent' : 'ready' })
      },
    })
    const admitted = Promise.all([needed(unit), forgotten]).then(() => admit(unit))
    await Promise.race([admitted, itself.exited, aborted(signal)])
    if (signal.aborted) return { why: await end }
    const starting = (doing?: string) =>
      this.#change({
        at: 'starting',
        ...(itself.pid !== 0 && { pid: itself.pid }),
        ...(doing !== undefined && { doing }),
        ...(last && { last }),
      })
    starting()
    let started: Started
    try {
      started = await itself.start({ ...(last && { last }), ...(after !== undefined && { after }) }, (doing) => {
        if (!isReady && !signal.aborted) starting(doing)
      })
    } catch (thrown) {
      const vanished = thrown instanceof AppError && thrown.code === 'UNAVAILABLE'
      itself.kill()
      // where all is stopped for it it isn't started again, and that begins by the next turn
      if (!vanished && unit.essential && onRefused(startFailure(unit.name, thrown))) await pause(0, signal)
      return { why: vanished ? await end : behindRole(reasonOf(thrown)) }
    }
    const since = clock.monotonic()
    isReady = true
    this.#change({ at: 'ready', pid: itself.pid, ...started })
    this.#ready.resolve()
    const why = await end
    return { why, ready: { ms: clock.monotonic() - since, started } }
  }

  async #forget(lost: Started, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    await Promise.race([this.#tools.onLost(lost).catch(() => {}), pause(FORGET_MS, signal)])
  }
}
