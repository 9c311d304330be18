import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '../../drivers/clock.ts'
import { canonicalHost, refusedHost, refusedOnceResolved, refusedUrl } from '../../kit/discovery/address-rule.ts'
import { AppError } from '../../kit/errors.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import type { InstanceRef, Registration } from './contract.ts'
import { HealthChecks } from './health-checks.ts'
import type { InstanceRows } from './instance-rows.ts'
import { type Entry, Instances, type InstancesOptions } from './instances.ts'

/** How often leases are looked at, milliseconds. */
const SWEEP_MS = 1_000
/** A sweep this late, milliseconds, means that the registry itself stood still (stopped, or the machine slept). */
const STOOD_STILL_MS = 5_000
/** How long a registration waits for the first health check or for DNS, milliseconds. */
const FIRST_LOOK_MS = 1_000

/** What a registry works with. */
export interface RegistryOptions extends InstancesOptions {
  readonly rows: InstanceRows
  readonly log: Log
  readonly checkIntervalMs: number
  readonly signal: AbortSignal
}

/** The table of instances, kept on disk, swept and health-checked: what the routes and `role.ts` work with. */
export class Registry {
  readonly instances: Instances
  readonly #checks: HealthChecks
  readonly #rows: InstanceRows
  readonly #log: Log
  readonly #clock: Clock
  #sweeper: NodeJS.Timeout | undefined
  #sweptAt: number

  constructor({ rows, log, checkIntervalMs, signal, ...options }: RegistryOptions) {
    this.instances = new Instances(options)
    this.#rows = rows
    this.#log = log
    this.#clock = options.clock
    this.#sweptAt = options.clock.monotonic()
    this.#checks = new HealthChecks({
      intervalMs: checkIntervalMs,
      signal,
      report: (id, url, result) => this.instances.checked(id, url, result),
    })
  }

  /** Takes in what an earlier run kept, and begins to sweep. */
  async open(): Promise<void> {
    const kept = await this.#rows.load()
    this.instances.restore(kept)
    for (const { instance, healthCheckUrl } of kept) void this.#checks.watch(instance.id, healthCheckUrl)
    if (kept.length > 0) this.#log.info(`${kept.length} instances known from before`, { instances: kept.length })
    this.#sweptAt = this.#clock.monotonic()
    this.#sweeper = setInterval(() => this.sweep(), SWEEP_MS)
  }

  /** Ends sweeping and health checks. */
  close(): void {
    clearInterval(this.#sweeper)
    this.#checks.close()
  }

  /**
   * Registers an instance; resolves when it is on disk and, where it has a health check, that was asked once (for 1 s at most).
   * Throws AppError `INVALID_REQUEST` for an address that no instance may have.
   */
  async register(given: Registration): Promise<Entry> {
    await refuseAddresses(given)
    const entry = this.instances.register({ ...given, host: canonicalHost(given.host) })
    const { id, service_name, url } = entry.instance
    const checked = this.#checks.watch(id, entry.healthCheckUrl)
    await Promise.all([this.#rows.keep(entry), within(FIRST_LOOK_MS, checked)])
    this.#log.info(`${service_name} registered at ${url}`, { id })
    return entry
  }

  /** Renews a lease. Throws AppError `NOT_FOUND` when the instance has to register again. */
  heartbeat(ref: InstanceRef): Entry {
    const known = this.find(ref)
    const entry = this.instances.heartbeat({ id: known.instance.id }) ?? known
    // an expired one was no longer kept
    if (known.lease.at === 'expired') void this.#rows.keep(entry)
    return entry
  }

  /** Takes an instance out of rotation until its next heartbeat. Throws AppError `NOT_FOUND`. */
  markUnhealthy(ref: InstanceRef): void {
    const { instance } = this.find(ref)
    this.instances.mark({ id: instance.id }, 'unhealthy')
    this.#log.warning(`${instance.service_name} at ${instance.url} was marked unhealthy`, { id: instance.id })
  }

  /** Takes an instance out of rotation until it registers anew; also over a restart of the registry. Throws AppError `NOT_FOUND`. */
  async drain(ref: InstanceRef): Promise<void> {
    const { instance } = this.find(ref)
    const entry = this.instances.mark({ id: instance.id }, 'draining')
    if (entry) await this.#rows.keep(entry)
    this.#log.info(`${instance.service_name} at ${instance.url} is draining`, { id: instance.id })
  }

  /** Forgets an instance. Throws AppError `NOT_FOUND`. */
  async deregister(ref: InstanceRef): Promise<void> {
    const entry = this.find(ref)
    const { id, service_name, url } = entry.instance
    this.instances.deregister({ id })
    this.#checks.forget(id)
    await this.#rows.forget([entry])
    this.#log.info(`${service_name} at ${url} deregistered`, { id })
  }

  /** The instance a caller means. Throws AppError `NOT_FOUND`; `CONFLICT` for one that speaks for a registration which was replaced. */
  find({ fence, ...ref }: InstanceRef): Entry {
    const entry = this.instances.find(ref.host === undefined ? ref : { ...ref, host: canonicalHost(ref.host) })
    if (entry && fence !== undefined && fence < entry.fence) {
      throw new AppError('CONFLICT', 'Instance was replaced', {
        detail: 'A newer registration has this id: whoever made it is the instance now',
      })
    }
    if (entry) return entry
    throw new AppError('NOT_FOUND', 'Instance not found', {
      detail: 'The registry does not know this instance: register it again',
    })
  }

  /** Looks at all leases once; called every second. */
  sweep(): void {
    const now = this.#clock.monotonic()
    const late = now - this.#sweptAt - SWEEP_MS
    this.#sweptAt = now
    if (late >= STOOD_STILL_MS) {
      this.instances.extend(late)
      this.#log.warning('the registry stood still; all leases are extended', { ms: Math.round(late) })
      return
    }
    const judged = this.instances.sweep()
    const expired = judged.filter(({ lease }) => lease.at === 'expired')
    const preserved = judged.length - expired.length
    if (preserved > 0) {
      this.#log.warning(`${preserved} more instances fell silent, too many at once: they are kept`, {
        preserved,
      })
    }
    if (expired.length === 0) return
    void this.#rows.forget(expired)
    for (const { instance } of expired) {
      this.#log.warning(`${instance.service_name} at ${instance.url} expired: no heartbeat`, { id: instance.id })
    }
  }
}

async function refuseAddresses({ host, health_check_url: url }: Registration): Promise<void> {
  const refusal =
    refusedHost(host) ??
    (url === undefined ? undefined : refusedUrl(url)) ??
    (await within(FIRST_LOOK_MS, refusedOnceResolved(canonicalHost(host))))
  if (refusal === undefined) return
  throw new AppError('INVALID_REQUEST', 'Invalid registration data', { detail: `The address is refused: ${refusal}` })
}

/** What `work` gives, or undefined when it takes longer than `ms`. */
async function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  const over = new AbortController()
  const late = delay(ms, undefined, { signal: over.signal }).catch(() => undefined)
  try {
    return await Promise.race([work, late])
  } finally {
    over.abort()
  }
}
