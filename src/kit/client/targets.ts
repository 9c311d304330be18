import { addressVariable } from '../discovery/address-variable.ts'
import type { Balancer, Pick } from '../discovery/balancer.ts'
import type { Directory, Instance } from '../discovery/directory.ts'
import { AppError } from '../errors.ts'

/** Longest wait, in milliseconds, for a service that nobody has registered yet. */
const DISCOVERY_MS = 1_000

/** What decides where a service's requests go. */
export interface TargetsOptions {
  readonly service: string
  readonly directory: Directory
  /** Holds back instances that fail. */
  readonly balancer: Balancer
}

/** Where requests to a service may go: what discovery knows, less what fails, balanced. */
export class Targets {
  readonly #service: string
  readonly #directory: Directory
  readonly #balancer: Balancer

  constructor({ service, directory, balancer }: TargetsOptions) {
    this.#service = service
    this.#directory = directory
    this.#balancer = balancer
  }

  /**
   * Chooses an instance, waiting up to a second (or `waitMs`) for the first one to register.
   * Throws AppError `UNREACHABLE` when none did, and `CIRCUIT_OPEN` while all are held back.
   * @param avoid instances the call has failed on; taken only when there is no other
   */
  async choose(waitMs: number, avoid?: ReadonlySet<Instance>, signal?: AbortSignal): Promise<Pick> {
    const known = this.#directory.instances(this.#service)
    const instances = known.length > 0 ? known : await this.#firstSeen(Math.min(waitMs, DISCOVERY_MS), signal)
    const picked = this.#balancer.pick(instances, avoid)
    if (!picked) throw this.#heldBack()
    return picked
  }

  /** True when a request made now would find an instance. */
  any(): boolean {
    return this.#balancer.any(this.#directory.instances(this.#service))
  }

  async #firstSeen(waitMs: number, signal: AbortSignal | undefined): Promise<readonly Instance[]> {
    const controller = new AbortController()
    const stop = () => controller.abort()
    const timer = setTimeout(stop, waitMs)
    signal?.addEventListener('abort', stop, { once: true })
    try {
      return await this.#directory.waitFor(this.#service, controller.signal)
    } catch (cause) {
      const hint = `start it (msvc registry list shows who is there), or set ${addressVariable(this.#service)} to its address`
      throw new AppError('UNREACHABLE', `No ${this.#service} is known: ${hint}`, { cause })
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
    }
  }

  #heldBack(): AppError {
    const message = `${this.#service} has failed too often; it gets calls again as soon as it says that it is ready`
    return new AppError('CIRCUIT_OPEN', message, { headers: { 'retry-after': '1' } })
  }
}
