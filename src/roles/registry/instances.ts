import type { Clock } from '../../drivers/clock.ts'
import type { Instance } from '../../kit/discovery/directory.ts'
import { printEndpoint } from '../../kit/discovery/endpoint.ts'
import { AppError } from '../../kit/errors.ts'
import { hideInText } from '../../kit/secrets/secret-text.ts'
import { hideSecrets } from '../../kit/secrets/secret-values.ts'
import type { InstanceRef, Registration } from './contract.ts'
import { extended, judge, type Lease, type LeaseLimits, lastHeartbeat, renewed, restored } from './lease.ts'

/** What someone said of an instance: `unhealthy` until its next heartbeat, `draining` until it registers anew. */
export type Mark = 'none' | 'unhealthy' | 'draining'

/** What its health_check_url said last. */
export type CheckResult =
  | { readonly at: 'none' }
  | { readonly at: 'waiting' }
  | { readonly at: 'passing' }
  | { readonly at: 'failing'; readonly reason: string }

/** All that is known of one instance. Never changed, only replaced. */
export interface Entry {
  readonly instance: Instance
  readonly healthCheckUrl: string | undefined
  /** Wall-clock milliseconds. */
  readonly registeredAt: number
  /** Greater with each registration under its id: what comes with a smaller one speaks for a replica that was replaced. */
  readonly fence: number
  readonly lease: Lease
  readonly mark: Mark
  readonly check: CheckResult
}

/** What an earlier run of the registry kept of an instance. */
export type KeptEntry = Pick<Entry, 'instance' | 'healthCheckUrl' | 'registeredAt' | 'fence' | 'mark'>

/** A change that watchers must know of. */
export type Change =
  | { readonly type: 'up'; readonly revision: number; readonly instance: Instance }
  | { readonly type: 'down'; readonly revision: number; readonly instance: Instance; readonly reason: string }

/** What the table of instances tells time with, and its bounds. */
export interface InstancesOptions {
  readonly clock: Clock
  readonly limits: LeaseLimits
  readonly maxInstances: number
  /** Of these, of one service. */
  readonly maxPerService: number
  readonly newId: () => string
}

/** Milliseconds an expired instance is still shown, so that people see what died. */
const SHOW_EXPIRED_MS = 600_000

/**
 * Why an instance gets no traffic; undefined when it is healthy: its lease runs, nobody marked it, and its check, where it has one, passes.
 */
export function whyUnhealthy({ lease, mark, check }: Entry): string | undefined {
  if (lease.at === 'expired') return 'no heartbeat'
  if (mark === 'unhealthy') return 'marked unhealthy'
  if (mark === 'draining') return 'draining'
  if (check.at === 'waiting') return 'not checked yet'
  return check.at === 'failing' ? `health check: ${check.reason}` : undefined
}

/** The table of who is alive where (seed 9.7.5): rules only, in memory; nothing here waits or does I/O. */
export class Instances {
  readonly #options: InstancesOptions
  readonly #entries = new Map<string, Entry>()
  readonly #ids = new Map<string, string>()
  /** Entries of each service. */
  readonly #counts = new Map<string, number>()
  readonly #healthy = new Map<string, readonly Instance[]>()
  readonly #turns = new Map<string, number>()
  readonly #listeners = new Set<(change: Change) => void>()
  #revision = 0

  constructor(options: InstancesOptions) {
    this.#options = options
  }

  /** Counts the changes; the id of the watch stream's events. */
  get revision(): number {
    return this.#revision
  }

  /** How many are healthy and how many are not, expired ones included. */
  count(): { healthy: number; unhealthy: number } {
    let healthy = 0
    for (const entry of this.#entries.values()) if (whyUnhealthy(entry) === undefined) healthy++
    return { healthy, unhealthy: this.#entries.size - healthy }
  }

  /** Takes in what an earlier run kept, each with a fresh lease. */
  restore(kept: readonly KeptEntry[]): void {
    const now = this.#options.clock.monotonic()
    for (const known of kept) {
      this.#put({
        ...known,
        instance: withoutSecrets(known.instance),
        check: unchecked(known.healthCheckUrl),
        lease: restored(now, this.#options.limits),
      })
    }
  }

  /**
   * Registers an instance, or anew: the same id is the same instance, and where none is given the same service, host and port.
   * Throws AppError `UNAVAILABLE` when the table is full, or the service has its share; `CONFLICT` for another service's id.
   */
  register(given: Registration): Entry {
    const entry = this.prepare(given)
    this.adopt(entry)
    return entry
  }

  /** What a registration would make of an instance, with a fence greater than those before it; throws as `register` does. */
  prepare(given: Registration): Entry {
    const { clock, limits, newId } = this.#options
    const atAddress = this.find({ ...given, id: undefined })
    const known = given.id === undefined ? atAddress : this.find({ id: given.id })
    if (known && known.instance.service_name !== given.service_name) {
      throw new AppError('CONFLICT', 'This id is another service’s', {
        detail: 'Register under an id of your own, or none',
      })
    }
    if (!known) this.#checkRoom(given.service_name)
    const { service_name, scheme, host, port, base_path, tags, metadata, health_check_url: healthCheckUrl } = given
    const url = printEndpoint({ scheme, host, port, basePath: base_path })
    const id = known?.instance.id ?? given.id ?? newId()
    const instance = withoutSecrets({ id, service_name, host, port, url, tags, metadata })
    const sameCheck = known !== undefined && known.healthCheckUrl === healthCheckUrl
    return {
      instance: known && isSame(known.instance, instance) ? known.instance : instance,
      healthCheckUrl,
      registeredAt: known?.registeredAt ?? clock.now(),
      fence: Math.max((known?.fence ?? 0) + 1, (atAddress?.fence ?? 0) + 1, Math.floor(clock.now())),
      lease: renewed(clock.monotonic(), limits),
      mark: 'none',
      check: sameCheck ? known.check : unchecked(healthCheckUrl),
    }
  }

  /** Takes an entry in, unless it was replaced meanwhile: at one address there is one instance, the one that registered last. */
  adopt(entry: Entry): boolean {
    const { id } = entry.instance
    const rival = this.find({ ...entry.instance, id: undefined })
    if ([this.#entries.get(id), rival].some((other) => other && isAfter(other, entry))) return false
    if (rival && rival.instance.id !== id) this.#remove(rival, 'replaced')
    this.#put(entry)
    return true
  }

  /**
   * What another registry was told of an instance, as an entry of this one's, to be adopted.
   * @param when whether it was heard of just now, or at some time before this registry began
   */
  told(
    {
      instance,
      healthCheckUrl,
      registeredAt,
      fence,
    }: Pick<Entry, 'instance' | 'healthCheckUrl' | 'registeredAt' | 'fence'>,
    when: 'now' | 'before',
  ): Entry {
    const { clock, limits } = this.#options
    const now = clock.monotonic()
    const known = this.#entries.get(instance.id)
    const isSameCheck = known !== undefined && known.healthCheckUrl === healthCheckUrl
    return {
      instance: known && isSame(known.instance, instance) ? known.instance : withoutSecrets(instance),
      healthCheckUrl,
      registeredAt,
      fence,
      lease: when === 'now' ? renewed(now, limits) : (known?.lease ?? restored(now, limits)),
      mark: known?.fence === fence && known.mark === 'draining' ? 'draining' : 'none',
      check: isSameCheck ? known.check : unchecked(healthCheckUrl),
    }
  }

  /** Renews a lease and takes an `unhealthy` mark away; undefined when the instance is not known and has to register. */
  heartbeat(ref: InstanceRef): Entry | undefined {
    const entry = this.find(ref)
    if (!entry) return undefined
    const lease = renewed(this.#options.clock.monotonic(), this.#options.limits)
    return this.#put({ ...entry, lease, mark: entry.mark === 'draining' ? 'draining' : 'none' })
  }

  /** Takes an instance out of rotation, or back in; one that drains stays out until it registers anew. */
  mark(ref: InstanceRef, mark: Mark): Entry | undefined {
    const entry = this.find(ref)
    return entry && this.#put({ ...entry, mark: entry.mark === 'draining' ? 'draining' : mark })
  }

  /** Forgets an instance; gives what it was. @param why told to watchers */
  remove(ref: InstanceRef, why: string): Entry | undefined {
    const entry = this.find(ref)
    if (entry) this.#remove(entry, why)
    return entry
  }

  /** Ends the lease of an instance that was silent for so long elsewhere too. */
  expire(id: string): void {
    const entry = this.#entries.get(id)
    if (!entry || entry.lease.at === 'expired') return
    const since = this.#options.clock.monotonic()
    this.#put({ ...entry, lease: { at: 'expired', heartbeat: lastHeartbeat(entry.lease), since } })
  }

  /** Takes in what a health check said; nothing when the instance has another check by now. */
  checked(id: string, url: string, check: CheckResult): void {
    const entry = this.#entries.get(id)
    if (entry?.healthCheckUrl === url) this.#put({ ...entry, check })
  }

  /** Expires those whose lease has run out, as far as self-preservation lets it. Gives those that it expired or preserved. */
  sweep(): readonly Entry[] {
    const now = this.#options.clock.monotonic()
    const judged: Entry[] = []
    const services = this.byService()
      .values()
      .map((entries) => new Map(entries.map(({ instance, lease }) => [instance.id, lease])))
    for (const [id, lease] of judge(services, now, this.#options.limits)) {
      const entry = this.#entries.get(id)
      if (entry) judged.push(this.#put({ ...entry, lease }))
    }
    for (const entry of this.#entries.values()) {
      const { lease } = entry
      if (lease.at === 'expired' && now - lease.since >= SHOW_EXPIRED_MS) this.#remove(entry, 'no heartbeat')
    }
    return judged
  }

  /** Gives everyone `ms` more: the registry itself stood still and heard nobody. */
  extend(ms: number): void {
    for (const [id, entry] of this.#entries) this.#entries.set(id, { ...entry, lease: extended(entry.lease, ms) })
  }

  /** One healthy instance of a service, each in its turn; undefined when there is none. */
  discover(service: string): Instance | undefined {
    const healthy = this.healthy(service)
    const turn = (this.#turns.get(service) ?? 0) % Math.max(healthy.length, 1)
    const instance = healthy[turn]
    if (instance) this.#turns.set(service, turn + 1)
    return instance
  }

  /** Healthy instances of a service, in the order they registered. */
  healthy(service: string): readonly Instance[] {
    return this.#healthy.get(service) ?? []
  }

  /** Healthy instances of all services. */
  allHealthy(): readonly Instance[] {
    return [...this.#healthy.values()].flat()
  }

  /** Every entry, expired ones too, by service. */
  byService(): ReadonlyMap<string, readonly Entry[]> {
    return Map.groupBy(this.#entries.values(), ({ instance }) => instance.service_name)
  }

  /** The instance that is meant; undefined when it is not known. */
  find({ id, service_name, host, port }: Omit<InstanceRef, 'fence'>): Entry | undefined {
    const known = id ?? this.#ids.get(`${service_name} ${port} ${host}`)
    return known === undefined ? undefined : this.#entries.get(known)
  }

  /** Calls back with each change, in order; returns how to stop. */
  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #checkRoom(service: string): void {
    const { maxInstances, maxPerService } = this.#options
    if (this.#entries.size >= maxInstances) {
      const message = `The registry is full: it takes ${maxInstances} instances (registry.max_instances)`
      throw new AppError('UNAVAILABLE', message)
    }
    if ((this.#counts.get(service) ?? 0) < maxPerService) return
    const message = `The registry takes ${maxPerService} instances of ${service} (registry.service_share)`
    throw new AppError('UNAVAILABLE', message)
  }

  #put(entry: Entry): Entry {
    const { instance } = entry
    const before = this.#entries.get(instance.id)
    const hasMoved = before !== undefined && keyOf(before.instance) !== keyOf(instance)
    if (!before) this.#count(instance.service_name, 1)
    if (hasMoved) this.#ids.delete(keyOf(before.instance))
    this.#entries.set(instance.id, entry)
    this.#ids.set(keyOf(instance), instance.id)
    let wasHealthy = before !== undefined && whyUnhealthy(before) === undefined
    if (wasHealthy && hasMoved && before) {
      this.#tell('down', before.instance, 'replaced')
      wasHealthy = false
    }
    const reason = whyUnhealthy(entry)
    if (reason === undefined && !(wasHealthy && before?.instance === instance)) this.#tell('up', instance, '')
    else if (reason !== undefined && wasHealthy) this.#tell('down', instance, reason)
    return entry
  }

  #remove(entry: Entry, reason: string): void {
    const { instance } = entry
    this.#entries.delete(instance.id)
    this.#count(instance.service_name, -1)
    this.#ids.delete(keyOf(instance))
    if (whyUnhealthy(entry) === undefined) this.#tell('down', instance, reason)
  }

  #count(service: string, more: 1 | -1): void {
    const count = (this.#counts.get(service) ?? 0) + more
    if (count > 0) this.#counts.set(service, count)
    else this.#counts.delete(service)
  }

  #tell(type: Change['type'], instance: Instance, reason: string): void {
    const others = this.healthy(instance.service_name).filter(({ id }) => id !== instance.id)
    const now = type === 'up' ? others.toSpliced(placeOf(instance, others), 0, instance) : others
    if (now.length > 0) this.#healthy.set(instance.service_name, now)
    else {
      this.#healthy.delete(instance.service_name)
      this.#turns.delete(instance.service_name)
    }
    const revision = ++this.#revision
    const change: Change = type === 'up' ? { type, revision, instance } : { type, revision, instance, reason }
    for (const listener of this.#listeners) listener(change)
  }
}

function unchecked(healthCheckUrl: string | undefined): CheckResult {
  return { at: healthCheckUrl === undefined ? 'none' : 'waiting' }
}

/** Where an instance belongs among others that are sorted by id. As a rule it is the newest, and comes last. */
function placeOf({ id }: Instance, others: readonly Instance[]): number {
  return others.findLastIndex((other) => other.id < id) + 1
}

/** What an instance says of itself is told to everybody: what shows that it is secret, by name or by shape, isn't kept. */
function withoutSecrets(instance: Instance): Instance {
  return { ...instance, tags: instance.tags.map(hideInText), metadata: hideSecrets(instance.metadata) }
}

function keyOf({ service_name, host, port }: Instance): string {
  return `${service_name} ${port} ${host}`
}

function isSame(one: Instance, other: Instance): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

/** Whether an entry is the later one. Two that registered in the same millisecond, each at a registry of its own, have to be told apart alike by both. */
function isAfter(one: Entry, other: Entry): boolean {
  return one.fence === other.fence ? one.instance.id > other.instance.id : one.fence > other.fence
}
