import type { Clock } from '../../drivers/clock.ts'
import type { Places } from '../config/places.ts'
import type { Cutover, Side } from '../cutover/role-state.ts'
import { forgetStays, giveVerdict, type Verdict } from '../cutover/verdict.ts'
import { AppError } from '../errors.ts'
import type { Job } from './job.ts'
import type { Step } from './protocol.ts'
import { reasonOf } from './reason.ts'
import type { LaunchedRole, RoleUnits } from './role-unit.ts'
import type { Supervision } from './supervise.ts'
import type { Unit } from './unit.ts'
import { unitWaves } from './waves.ts'

/** Where a platform is in a cutover; `held`: the processes that are, by unit. */
export type CutoverState =
  | { readonly at: 'settled' }
  | ({ readonly at: 'holding' | 'held' } & UnderWay)
  | ({ readonly at: 'beginning'; readonly on: Side } & UnderWay)

/** A cutover that has begun. */
interface UnderWay {
  readonly cutover: Cutover
  /** Monotonic milliseconds at which the first request may have had to wait. */
  readonly since: number
  readonly held: ReadonlyMap<string, LaunchedRole>
  /** Resolves when the platform is settled again, on whichever side. */
  readonly over: PromiseWithResolvers<void>
  readonly alarm: NodeJS.Timeout
}

/** How long a cutover may take. */
export interface CutoverLimits {
  /** Milliseconds for which requests may wait until it is decided; then all goes on as it was. */
  readonly budgetMs: number
}

/** What a cutover of a platform works with. */
export interface PlatformCutoverOptions {
  readonly supervision: Pick<Supervision, 'states'>
  readonly roles: RoleUnits
  /** Where the platform is at the start. */
  readonly places: Places
  readonly clock: Clock
  /** URLs without their passwords, as they are told and written down. */
  readonly shown: (places: Places) => Places
  /** Told when the platform lives elsewhere. */
  readonly onMoved: (to: Places) => void
}

/** Beyond the budget, milliseconds, until roles ask for the verdict by themselves: the supervisor hangs then. */
const GRACE_MS = 1_500

/**
 * Moves a running platform to other places: holds its roles, those first that need others, lets whoever conducts the move copy the last changes, and
 * has all begin on the new places, or on the old ones again. Between the two lies one verdict on disk.
 */
export class PlatformCutover {
  readonly #options: PlatformCutoverOptions
  #places: Places
  #state: CutoverState = { at: 'settled' }

  constructor(options: PlatformCutoverOptions) {
    this.#options = options
    this.#places = options.places
  }

  /** Where the platform lives. */
  get places(): Places {
    return this.#places
  }

  /** Resolves once it is certain where the platform lives. */
  async settled(): Promise<void> {
    while (this.#state.at !== 'settled') await this.#state.over.promise
  }

  /** What a role is to start with instead of what was planned: on the places where the platform lives. */
  jobNow(job: Job): Job {
    return { ...job, settings: { ...job.settings, ...this.#places } }
  }

  /** Has all roles look whether they reach other places, and load what they need there. Rejects with AppError `CONFLICT` and what is in the way. */
  async prepare(to: Places): Promise<void> {
    const { units, launched } = this.#options.roles
    const held = new Map(launched)
    await Promise.all(unitWaves(units).map((wave) => this.#tell({ held }, wave, { step: 'prepare', to })))
  }

  /**
   * Holds all roles; resolves when none has anything open on its places. Rejects with AppError `CONFLICT` while a unit isn't ready or another cutover is under
   * way, or when it could not be done within the budget: then all goes on as it was.
   */
  async hold(id: string, to: Places, { budgetMs }: CutoverLimits): Promise<void> {
    const { clock, supervision, roles } = this.#options
    if (this.#state.at !== 'settled')
      throw new AppError('CONFLICT', `a cutover is under way (${this.#state.cutover.id})`)
    const states = supervision.states()
    const missing = roles.units.find(({ name }) => states.get(name)?.at !== 'ready')
    if (missing) throw new AppError('CONFLICT', `${missing.name} is not ready: ${states.get(missing.name)?.at}`)
    const since = clock.monotonic()
    const under: UnderWay = {
      cutover: { id, to, leaseMs: budgetMs + GRACE_MS },
      since,
      held: new Map(roles.launched),
      over: Promise.withResolvers(),
      alarm: setTimeout(() => void this.resume(id).catch(() => {}), budgetMs),
    }
    this.#state = { at: 'holding', ...under }
    try {
      for (const wave of unitWaves(roles.units).toReversed()) {
        const ms = Math.max(1, since + budgetMs - clock.monotonic())
        await this.#tell(under, wave, { step: 'hold', cutover: under.cutover, ms })
        this.#want('holding', id)
      }
      this.#state = { at: 'held', ...under }
    } catch (fault) {
      await this.resume(id).catch(() => {})
      throw new AppError('CONFLICT', `the platform can't be held: ${reasonOf(fault)}`, { cause: fault })
    }
  }

  /**
   * Has all roles begin on the new places; there is no way back from then on. Resolves with the milliseconds for which requests waited at most. Rejects
   * with AppError `CONFLICT` when the platform is not held for this cutover (any more).
   */
  async move(id: string): Promise<number> {
    const held = this.#want('held', id)
    const { shown, clock, onMoved } = this.#options
    const moved: Verdict = {
      outcome: 'moved',
      id,
      at: new Date(clock.now()).toISOString(),
      from: shown(this.#places),
      to: shown(held.cutover.to),
    }
    try {
      const { outcome } = giveVerdict(this.#options.places.data, moved)
      if (outcome !== 'moved') throw new AppError('CONFLICT', 'a role has given up waiting')
    } catch (cause) {
      await this.resume(id)
      throw new AppError('CONFLICT', `the platform stays where it was: ${reasonOf(cause)}`, { cause })
    }
    this.#places = held.cutover.to
    onMoved(this.#places)
    await this.#begin(held, 'new')
    return clock.monotonic() - held.since
  }

  /** Has all roles go on where they were. Does nothing when the cutover is over. */
  async resume(id: string): Promise<void> {
    const state = this.#state
    if (state.at === 'settled' || state.cutover.id !== id) return
    if (state.at === 'beginning') return state.over.promise
    // this process alone says that a platform moves, and for this one it doesn't any more
    await this.#begin(state, 'old')
    forgetStays(this.#options.places.data)
  }

  async #begin(under: UnderWay, on: Side): Promise<void> {
    clearTimeout(under.alarm)
    this.#state = { ...under, at: 'beginning', on }
    try {
      // one that can't ends, and is started again
      await Promise.allSettled(
        unitWaves(this.#options.roles.units).map((wave) =>
          this.#tell(under, wave, { step: 'begin', id: under.cutover.id, on }),
        ),
      )
    } finally {
      this.#state = { at: 'settled' }
      under.over.resolve()
    }
  }

  /** One that has ended has nothing open, and its next process waits for the end of the cutover. */
  async #tell({ held }: Pick<UnderWay, 'held'>, units: readonly Unit[], step: Step): Promise<void> {
    await Promise.all(
      units.map(async ({ name }) => {
        try {
          await held.get(name)?.take(step)
        } catch (fault) {
          if (!(fault instanceof AppError) || fault.code !== 'UNAVAILABLE') throw fault
        }
      }),
    )
  }

  #want(at: 'holding' | 'held', id: string): UnderWay {
    const state = this.#state
    if (state.at === at && state.cutover.id === id) return state
    throw new AppError('CONFLICT', `the platform is not ${at} for this cutover: requests would have waited too long`)
  }
}
