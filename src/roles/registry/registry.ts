import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '../../drivers/clock.ts'
import { canonicalHost, refusedHost, refusedOnceResolved, refusedUrl } from '../../kit/discovery/address-rule.ts'
import { AppError } from '../../kit/errors.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import type { InstanceRef, Registration } from './contract.ts'
import { HealthChecks } from './health-checks.ts'
import type { InstanceRows } from './instance-rows.ts'
import { type CheckResult, type Entry, Instances, type InstancesOptions } from './instances.ts'
import { Peers, type PeersOptions } from './peers.ts'

/** How often leases are looked at, milliseconds. */
const SWEEP_MS = 1_000
/** A sweep this late, milliseconds, means that the registry itself stood still (stopped, or the machine slept). */
const STOOD_STILL_MS = 5_000
/** How long a registration waits for the first health check or for DNS, milliseconds. */
const FIRST_LOOK_MS = 1_000
/** How long a start waits for the first health checks, milliseconds: those in the same network take a few, and a platform that moves waits for it. */
const FIRST_CHECKS_MS = 250

/** What a registry works with. */
export interface RegistryOptions extends InstancesOptions {
  readonly rows: InstanceRows
  readonly log: Log
  readonly checkIntervalMs: number
  readonly signal: AbortSignal
  /** How long a start and a registration wait for a first health check, milliseconds. Default: 250, and 1 000. */
  readonly patienceMs?: number
  /** What it shares with other registries, and its own name among them. Default: it is alone. */
  readonly among?: Pick<PeersOptions, 'cache' | 'holder'>
}

/** The table of instances, kept on disk, swept, health-checked, and shared with other registries: what the routes and `role.ts` work with. */
export class Registry {
  readonly instances: Instances
  readonly #checks: HealthChecks
  readonly #rows: InstanceRows
  readonly #log: Log
  readonly #clock: Clock
  readonly #signal: AbortSignal
  readonly #patienceMs: { readonly start: number; readonly registration: number }
  readonly #peers: Peers | undefined
  /** Whether health checks are this registry's to ask. */
  #isChecking = true
  /** Who waits for what an instance's check says first, by its id. */
  readonly #firstLooks = new Map<string, PromiseWithResolvers<void>>()
  #sweeper: NodeJS.Timeout | undefined
  #sweptAt: number

  constructor({ rows, log, checkIntervalMs, signal, patienceMs, among, ...options }: RegistryOptions) {
    const { clock } = options
    this.instances = new Instances(options)
    this.#rows = rows
    this.#log = log
    this.#clock = clock
    this.#signal = signal
    this.#patienceMs = { start: patienceMs ?? FIRST_CHECKS_MS, registration: patienceMs ?? FIRST_LOOK_MS }
    this.#sweptAt = clock.monotonic()
    this.#checks = new HealthChecks({
      intervalMs: checkIntervalMs,
      signal,
      report: (id, url, result) => this.#checked(id, url, result),
    })
    this.#peers =
      among &&
      new Peers({
        ...among,
        instances: this.instances,
        clock,
        log,
        onKnown: (entry) => {
          this.#watch(entry)
          void rows.keep(entry)
        },
        onGone: (entry) => {
          this.#checks.forget(entry.instance.id)
          void rows.forget([entry])
        },
        onChecked: (id) => this.#firstLooks.get(id)?.resolve(),
        onChecking: (isMine) => this.#check(isMine),
      })
  }

  /** Takes in what an earlier run kept and what other registries know, asks health checks once (for 250 ms at most), and begins to sweep. */
  async open(): Promise<void> {
    const kept = await this.#rows.load()
    this.instances.restore(kept)
    if (kept.length > 0) this.#log.debug(`${kept.length} instances known from before`, { instances: kept.length })
    await this.#peers?.open()
    this.#check(this.#isChecking)
    // who watched the one before must not hear that those are gone who are only not checked yet
    await within(this.#patienceMs.start, Promise.all(this.#entries().map((entry) => this.#firstLook(entry))))
    this.#firstLooks.clear()
    this.#sweptAt = this.#clock.monotonic()
    this.#sweeper = setInterval(() => this.sweep(), SWEEP_MS)
  }

  /** Ends sweeping and health checks, and tells other registries what is still to be told. */
  async close(): Promise<void> {
    clearInterval(this.#sweeper)
    this.#checks.close()
    await this.#peers?.close()
  }

  /**
   * Registers an instance; resolves when it is on disk, other registries can know it, and, where it has a health check, that was asked once (for 1 s at
   * most). Throws AppError `INVALID_REQUEST` for an address that no instance may have, `CONFLICT` for another service's id.
   */
  async register(given: Registration): Promise<Entry> {
    await refuseAddresses(given)
    const prepared = this.instances.prepare({ ...given, host: canonicalHost(given.host) })
    const entry = this.#peers ? { ...prepared, fence: await this.#peers.registered(prepared) } : prepared
    if (!(this.#peers ?? this.instances).adopt(entry)) throw replaced()
    const { id, service_name, url } = entry.instance
    const checked = this.#firstLook(entry)
    this.#watch(entry)
    await Promise.all([this.#rows.keep(entry), within(this.#patienceMs.registration, checked)])
    this.#firstLooks.delete(id)
    this.#log.debug(`${service_name} registered at ${url}`, { id })
    return entry
  }

  /** Renews the lease of an instance that was found. */
  heartbeat(known: Entry): void {
    const entry = this.instances.heartbeat({ id: known.instance.id }) ?? known
    // an expired one was no longer kept
    if (known.lease.at === 'expired') void this.#rows.keep(entry)
    this.#peers?.heard(entry, known)
  }

  /** Takes an instance that was found out of rotation until its next heartbeat. */
  async markUnhealthy({ instance }: Entry): Promise<void> {
    const entry = this.instances.mark({ id: instance.id }, 'unhealthy')
    if (entry) await this.#peers?.marked(entry)
    this.#log.warning(`${instance.service_name} at ${instance.url} was marked unhealthy`, { id: instance.id })
  }

  /** Takes an instance that was found out of rotation until it registers anew; also over a restart of the registry. */
  async drain({ instance }: Entry): Promise<void> {
    const entry = this.instances.mark({ id: instance.id }, 'draining')
    if (entry) await Promise.all([this.#rows.keep(entry), this.#peers?.marked(entry)])
    this.#log.debug(`${instance.service_name} at ${instance.url} is draining`, { id: instance.id })
  }

  /** Forgets an instance that was found. */
  async deregister(entry: Entry): Promise<void> {
    const { id, service_name, url } = entry.instance
    this.instances.remove({ id }, 'deregistered')
    this.#checks.forget(id)
    await Promise.all([this.#rows.forget([entry]), this.#peers?.gone(entry, 'deregistered')])
    this.#log.debug(`${service_name} at ${url} deregistered`, { id })
  }

  /**
   * The instance a caller means, also one that another registry was told of a moment ago. Throws AppError `NOT_FOUND` when it has to register again;
   * `CONFLICT` for one that speaks for a registration which was replaced.
   */
  async find({ fence, ...ref }: InstanceRef): Promise<Entry> {
    const meant = ref.host === undefined ? ref : { ...ref, host: canonicalHost(ref.host) }
    if (!this.instances.find(meant)) await this.#peers?.refresh()
    const entry = this.instances.find(meant)
    if (entry && fence !== undefined && fence < entry.fence) throw replaced()
    if (entry) return entry
    throw new AppError('NOT_FOUND', 'Instance not found', {
      detail: 'The registry does not know this instance: register it again',
    })
  }

  /** Looks at all leases once, and whether the disk is to be brought up to date; called every second. */
  sweep(): void {
    void this.#rows.catchUp(() => this.#entries().filter(({ lease }) => lease.at !== 'expired'))
    this.#judge()
  }

  #judge(): void {
    const now = this.#clock.monotonic()
    const late = now - this.#sweptAt - SWEEP_MS
    this.#sweptAt = now
    if (late >= STOOD_STILL_MS) {
      this.instances.extend(late)
      this.#log.warning('the registry stood still; all leases are extended', { ms: Math.round(late) })
      return
    }
    if (this.#peers && !this.#peers.isInStep) {
      // who is silent here may be heard elsewhere
      this.instances.extend(late + SWEEP_MS)
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
    for (const entry of expired) {
      const { instance } = entry
      void this.#peers?.gone(entry, 'no heartbeat')
      this.#log.warning(`${instance.service_name} at ${instance.url} expired: no heartbeat`, { id: instance.id })
    }
  }

  /** Begins or ends to ask what health checks say. */
  #check(isMine: boolean): void {
    this.#isChecking = isMine
    if (!isMine) this.#checks.close()
    else for (const entry of this.#entries()) this.#watch(entry)
  }

  #entries(): readonly Entry[] {
    return [...this.instances.byService().values()].flat()
  }

  #watch({ instance, healthCheckUrl }: Entry): void {
    if (this.#isChecking && !this.#signal.aborted) this.#checks.watch(instance.id, healthCheckUrl)
  }

  #checked(id: string, url: string, result: CheckResult): void {
    const before = this.instances.find({ id })
    this.instances.checked(id, url, result)
    const entry = this.instances.find({ id })
    if (entry && JSON.stringify(entry.check) !== JSON.stringify(before?.check)) this.#peers?.checked(entry)
    this.#firstLooks.get(id)?.resolve()
  }

  /** Resolves when an instance's health check has said something, whichever registry asks it. */
  #firstLook({ instance, check }: Entry): Promise<void> {
    if (check.at !== 'waiting') return Promise.resolve()
    const looking = this.#firstLooks.get(instance.id) ?? Promise.withResolvers<void>()
    this.#firstLooks.set(instance.id, looking)
    return looking.promise
  }
}

function replaced(): AppError {
  return new AppError('CONFLICT', 'Instance was replaced', {
    detail: 'A newer registration has this id or address: whoever made it is the instance now',
  })
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
