import type { Clock } from '../../drivers/clock.ts'
import type { Balancer, Outcome } from '../discovery/balancer.ts'
import type { Directory, Instance } from '../discovery/directory.ts'
import type { EjectionLimits } from '../discovery/ejection.ts'
import { AppError } from '../errors.ts'
import type { Log } from '../telemetry/log.ts'
import { Breakers } from './breakers.ts'

/** Longest wait, in milliseconds, for a service that nobody has registered yet. */
const DISCOVERY_MS = 1_000

/** An instance chosen for one request. */
export interface Target {
  readonly instance: Instance
  /** Call it when the request is over; balancer and breaker learn from it. */
  done(outcome: Outcome): void
}

/** What decides where a service's requests go. */
export interface TargetsOptions {
  readonly service: string
  readonly directory: Directory
  readonly balancer: Balancer
  readonly clock: Clock
  readonly log: Log
  /** When the breakers open and for how long. */
  readonly limits: EjectionLimits
}

/** Where requests to a service may go: what discovery knows, less what the breakers hold back, balanced. */
export class Targets {
  readonly #service: string
  readonly #directory: Directory
  readonly #balancer: Balancer
  readonly #breakers: Breakers

  constructor({ service, directory, balancer, clock, log, limits }: TargetsOptions) {
    this.#service = service
    this.#directory = directory
    this.#balancer = balancer
    this.#breakers = new Breakers(clock, log, limits)
  }

  /**
   * Chooses an instance, waiting up to a second (or `waitMs`) for the first one to register.
   * Throws AppError `UNREACHABLE` when none did, and `CIRCUIT_OPEN` while all are held back.
   * @param avoid instances the call has failed on; taken only when there is no other
   */
  async choose(waitMs: number, avoid?: ReadonlySet<Instance>, signal?: AbortSignal): Promise<Target> {
    const known = this.#directory.instances(this.#service)
    const instances = known.length > 0 ? known : await this.#firstSeen(Math.min(waitMs, DISCOVERY_MS), signal)
    const admitted = this.#breakers.admitted(instances)
    const picked = this.#balancer.pick(admitted, avoid)
    if (!picked) throw this.#heldBack(instances)
    const permit = this.#breakers.enter(picked.instance)
    return {
      instance: picked.instance,
      done(outcome) {
        picked.done(outcome)
        permit.done(outcome)
      },
    }
  }

  /** True when a request made now would find an instance. */
  any(): boolean {
    return this.#breakers.admitted(this.#directory.instances(this.#service)).length > 0
  }

  async #firstSeen(waitMs: number, signal: AbortSignal | undefined): Promise<readonly Instance[]> {
    const controller = new AbortController()
    const stop = () => controller.abort()
    const timer = setTimeout(stop, waitMs)
    signal?.addEventListener('abort', stop, { once: true })
    try {
      return await this.#directory.waitFor(this.#service, controller.signal)
    } catch (cause) {
      const variable = `${this.#service.toUpperCase().replaceAll('-', '_')}_URL`
      const hint = `start it (msvc registry list shows who is there), or set ${variable} to its address`
      throw new AppError('UNREACHABLE', `No ${this.#service} is known: ${hint}`, { cause })
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
    }
  }

  #heldBack(instances: readonly Instance[]): AppError {
    const seconds = Math.max(1, Math.ceil(this.#breakers.openForMs(instances) / 1000))
    const message = `${this.#service} has failed too often; it is asked again in ${seconds} s`
    return new AppError('CIRCUIT_OPEN', message, { headers: { 'retry-after': String(seconds) } })
  }
}
