import type { Clock } from '../../drivers/clock.ts'
import type { Outcome } from '../discovery/balancer.ts'
import type { Instance } from '../discovery/directory.ts'
import {
  afterFailure,
  afterSilence,
  afterSuccess,
  type EjectionLimits,
  IN_ROTATION,
  isDue,
  onTrial,
  type Standing,
} from '../discovery/ejection.ts'
import type { Log } from '../telemetry/log.ts'

/** A request that a breaker let through. Call `done` once, when it is over. */
export interface Permit {
  /** The breaker learns how it went. */
  done(outcome: Outcome): void
}

/**
 * A circuit breaker for each instance (seed 9.7.6): 5 failures in a row (unless configured otherwise) open it for 60 s, then
 * one request tries the instance. Unlike the balancer's ejection it also opens for the last instance standing: callers then fail at once instead of after a timeout.
 * A restarted copy is a new Instance object and starts afresh.
 */
export class Breakers {
  readonly #clock: Clock
  readonly #log: Log
  readonly #limits: EjectionLimits
  readonly #standings = new WeakMap<Instance, Standing>()

  constructor(clock: Clock, log: Log, limits: EjectionLimits) {
    this.#clock = clock
    this.#log = log
    this.#limits = limits
  }

  /** Those of `instances` that may be asked now; the same array when it is all of them. */
  admitted(instances: readonly Instance[]): readonly Instance[] {
    return instances.every((instance) => this.#admits(instance))
      ? instances
      : instances.filter((instance) => this.#admits(instance))
  }

  /** Milliseconds until one of `instances` may be asked again; 0 while a trial is under way. */
  openForMs(instances: readonly Instance[]): number {
    const now = this.#clock.monotonic()
    const waits = instances.map((instance) => {
      const standing = this.#standingOf(instance)
      return standing.at === 'ejected' ? Math.max(0, standing.until - now) : 0
    })
    return waits.length === 0 ? 0 : Math.min(...waits)
  }

  /** Begins a request to an admitted instance. */
  enter(instance: Instance): Permit {
    const trial = isDue(this.#standingOf(instance), this.#clock.monotonic())
    if (trial) this.#standings.set(instance, onTrial())
    return { done: (outcome) => this.#settle(instance, trial, outcome) }
  }

  #standingOf(instance: Instance): Standing {
    return this.#standings.get(instance) ?? IN_ROTATION
  }

  #admits(instance: Instance): boolean {
    const standing = this.#standings.get(instance)
    return !standing || standing.at === 'closed' || isDue(standing, this.#clock.monotonic())
  }

  #settle(instance: Instance, trial: boolean, outcome: Outcome): void {
    const before = this.#standingOf(instance)
    if (outcome === 'success' && before === IN_ROTATION) return
    const now = this.#clock.monotonic()
    const after =
      outcome === 'success'
        ? afterSuccess(before, trial)
        : outcome === 'failure'
          ? afterFailure(before, trial, true, now, this.#limits)
          : afterSilence(before, trial, now)
    this.#standings.set(instance, after)
    this.#report(instance, before, after, outcome)
  }

  #report(instance: Instance, before: Standing, after: Standing, outcome: Outcome): void {
    const where = { target: instance.service_name, url: instance.url }
    if (after.at === 'ejected' && before.at !== 'ejected' && outcome === 'failure') {
      this.#log.warning(`Circuit opened: ${instance.service_name} fails, and gets no calls for a while`, {
        ...where,
        open_ms: this.#limits.holdMs,
      })
    } else if (after.at === 'closed' && before.at !== 'closed') {
      this.#log.info(`Circuit closed: ${instance.service_name} answers again`, where)
    }
  }
}
