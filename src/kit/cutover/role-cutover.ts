import type { Clock } from '../../drivers/clock.ts'
import type { Places } from '../config/places.ts'
import { AppError, messageOf } from '../errors.ts'
import type { Log } from '../telemetry/log.ts'
import { type Cutover, leaseLeft, type RoleEvent, type RoleState, roleAfter, type Side } from './role-state.ts'
import type { Verdict } from './verdict.ts'

/** How soon a verdict that could not be asked for is asked for again, milliseconds. */
const AGAIN_MS = 500

/** A role that can be begun anew on other places behind its open port. */
export interface Movable {
  /** Where it is now. */
  places(): Places
  /** Looks whether it would reach other places, and loads what it needs there; it goes on meanwhile. Rejects with what is in the way. */
  prepare(to: Places): Promise<void>
  /**
   * Keeps new requests waiting, lets those under way finish and closes all that lies on its places. Rejects with AppError `UNAVAILABLE` when they take longer
   * than `ms` milliseconds: then it goes on as if nothing had been.
   */
  hold(to: Places, ms: number): Promise<void>
  /** Starts it on these places, and lets the waiting requests go on. Rejects with why it can't. */
  begin(places: Places): Promise<void>
  /** Told when it is of no use any more. */
  fail(why: Error): void
}

/** What a role's part in a cutover works with. */
export interface RoleCutoverOptions {
  readonly role: Movable
  readonly clock: Pick<Clock, 'monotonic'>
  readonly log: Log
  /** Asks for the verdict, and says that the platform stays where there is none yet. */
  readonly verdictOn: (id: string) => Verdict
  /** Fires when the role stops: then it does nothing by itself any more. */
  readonly signal: AbortSignal
}

/**
 * A role's part in a cutover: it is held, and then begins anew on the old places or on the new ones. A role whose conductor is not heard of any
 * more doesn't stay held: it asks for the verdict by itself.
 */
export class RoleCutover {
  readonly #options: RoleCutoverOptions
  #state: RoleState = { at: 'serving' }
  /** What is being done. */
  #doing: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined

  constructor(options: RoleCutoverOptions) {
    this.#options = options
    options.signal.addEventListener('abort', () => clearTimeout(this.#timer), { once: true })
  }

  get state(): RoleState {
    return this.#state
  }

  /** Makes ready for a move that is going to come; nothing changes. Rejects with what is in the way. */
  async prepare(to: Places): Promise<void> {
    await this.#options.role.prepare(to)
  }

  /**
   * Holds the role; resolves once nothing is open on its places. Rejects with AppError `CONFLICT` while another cutover is under way, and `UNAVAILABLE`
   * when it could not be brought to an end within `ms` milliseconds: then it goes on.
   */
  async hold(cutover: Cutover, ms: number): Promise<void> {
    this.#take({ what: 'hold', cutover, now: this.#options.clock.monotonic() })
    const holding = this.#hold(cutover, ms)
    this.#doing = holding.catch(() => {})
    await holding
  }

  /** Begins anew on the new places, or on the old ones; resolves once it serves there, at once where it does. Rejects with why it can't. */
  async begin(id: string, on: Side): Promise<void> {
    await this.#doing
    if (this.#state.at === 'serving' || this.#state.at === 'failed') return
    this.#take({ what: 'begin', id, on })
    clearTimeout(this.#timer)
    const beginning = this.#begin(on)
    this.#doing = beginning.catch(() => {})
    await beginning
  }

  async #hold({ to }: Cutover, ms: number): Promise<void> {
    try {
      await this.#options.role.hold(to, ms)
    } catch (fault) {
      this.#take({ what: 'kept' })
      throw fault
    }
    this.#take({ what: 'ended' })
    this.#watch()
  }

  async #begin(on: Side): Promise<void> {
    const { role } = this.#options
    const { cutover } = this.#beginning()
    try {
      await role.begin(on === 'new' ? cutover.to : role.places())
      this.#take({ what: 'begun' })
    } catch (fault) {
      this.#take({ what: 'failed' })
      role.fail(fault instanceof Error ? fault : new AppError('START_FAILED', messageOf(fault), { cause: fault }))
      throw fault
    }
  }

  #beginning(): Extract<RoleState, { at: 'beginning' }> {
    if (this.#state.at === 'beginning') return this.#state
    throw new AppError('INTERNAL', `a role that is ${this.#state.at} can't begin`)
  }

  #take(event: RoleEvent): void {
    const next = roleAfter(this.#state, event)
    if (!next) throw new AppError('CONFLICT', `The role is ${this.#state.at}: no ${event.what} now`)
    this.#state = next
  }

  /** Sets the alarm for the end of the lease. */
  #watch(): void {
    clearTimeout(this.#timer)
    const { clock, signal } = this.#options
    const ms = leaseLeft(this.#state, clock.monotonic())
    if (ms === undefined || signal.aborted) return
    this.#timer = setTimeout(() => this.#ask(), ms)
  }

  #ask(): void {
    const { log, verdictOn, signal } = this.#options
    if (this.#state.at !== 'held' || signal.aborted) return
    const { id, leaseMs } = this.#state.cutover
    try {
      const { outcome } = verdictOn(id)
      log.warning(`no word of the cutover for ${leaseMs} ms: the role goes on by itself`, { cutover: id, outcome })
      // that it can't is told by `fail`
      void this.begin(id, outcome === 'moved' ? 'new' : 'old').catch(() => {})
    } catch (fault) {
      log.error(`the role is held, and the verdict can't be asked for: ${messageOf(fault)}`, { cutover: id })
      this.#timer = setTimeout(() => this.#ask(), AGAIN_MS)
    }
  }
}
