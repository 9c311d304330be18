import type { Instance } from './directory.ts'

/** What the registry says is healthy, as its watch stream begins. */
export interface RegistrySnapshot {
  /** Names the registry's run. */
  readonly registry: string
  readonly instances: readonly Instance[]
}

const NONE: readonly Instance[] = Object.freeze([])

/**
 * The instances a process knows of, fed by the registry's watch stream. Pure rules, all times passed in (monotonic milliseconds).
 *
 * What a snapshot no longer holds is gone when it comes from the same run of the registry, which saw it go. A registry that was
 * restarted may just not have heard of an instance yet, so there it stays for a grace time, unless a removal is told.
 */
export class KnownInstances {
  readonly #graceMs: number
  readonly #services = new Map<string, Map<string, Instance>>()
  readonly #lists = new Map<string, readonly Instance[]>()
  /** When each instance that a snapshot missed is dropped; Infinity while the registry is away. */
  readonly #missing = new Map<Instance, number>()
  #run: string | undefined

  constructor(graceMs: number) {
    this.#graceMs = graceMs
  }

  /** A service's instances, ordered by id; the same array until they change. */
  instances(service: string): readonly Instance[] {
    return this.#lists.get(service) ?? NONE
  }

  /** Takes a snapshot in. Gives the services that changed. */
  replace({ registry, instances }: RegistrySnapshot, now: number): ReadonlySet<string> {
    const changed = new Set<string>()
    const present = new Set<Instance>()
    for (const instance of instances) present.add(this.#put(instance, changed))
    const sawItGo = registry === this.#run
    this.#run = registry
    for (const known of [...this.#services.values()].flatMap((list) => [...list.values()])) {
      if (present.has(known)) continue
      const until = this.#missing.get(known)
      if (sawItGo && until === undefined) this.#drop(known, changed)
      else this.#missing.set(known, Math.min(until ?? Number.POSITIVE_INFINITY, now + this.#graceMs))
    }
    this.#relist(changed)
    return changed
  }

  /** Takes in what an earlier process kept, as long as nothing is known: the next snapshot says what of it still holds. */
  recall(kept: RegistrySnapshot): ReadonlySet<string> {
    const changed = new Set<string>()
    if (this.#run !== undefined) return changed
    this.#run = kept.registry
    for (const instance of kept.instances) this.#put(instance, changed)
    this.#relist(changed)
    return changed
  }

  /** All that is known, for an other process to recall. */
  all(): RegistrySnapshot {
    return { registry: this.#run ?? '', instances: [...this.#lists.values()].flat() }
  }

  /** An instance became healthy, or is another one than before. */
  up(instance: Instance): ReadonlySet<string> {
    const changed = new Set<string>()
    this.#put(instance, changed)
    this.#relist(changed)
    return changed
  }

  /** An instance must not be called any more: that takes effect at once. */
  down(service: string, id: string): ReadonlySet<string> {
    const changed = new Set<string>()
    for (const known of this.#services.get(service)?.values() ?? []) if (known.id === id) this.#drop(known, changed)
    this.#relist(changed)
    return changed
  }

  /** The registry is away: what is known stays until it is back. */
  lost(): void {
    for (const instance of this.#missing.keys()) this.#missing.set(instance, Number.POSITIVE_INFINITY)
  }

  /** Drops what is still missing after its grace. Gives the services that changed. */
  dropMissing(now: number): ReadonlySet<string> {
    const changed = new Set<string>()
    for (const [instance, until] of this.#missing) if (now >= until) this.#drop(instance, changed)
    this.#relist(changed)
    return changed
  }

  /** When the next one is to be dropped; Infinity when none is. */
  nextDrop(): number {
    return Math.min(...this.#missing.values())
  }

  /** Gives the object that stands for the instance: the known one when nothing changed, so that what callers learned of it stays. */
  #put(instance: Instance, changed: Set<string>): Instance {
    const { service_name, host, port } = instance
    const list = this.#services.get(service_name) ?? new Map<string, Instance>()
    this.#services.set(service_name, list)
    const key = `${host} ${port}`
    const known = list.get(key)
    if (known) this.#missing.delete(known)
    if (known && JSON.stringify(known) === JSON.stringify(instance)) return known
    list.set(key, instance)
    changed.add(service_name)
    return instance
  }

  #drop({ service_name, host, port }: Instance, changed: Set<string>): void {
    const list = this.#services.get(service_name)
    const known = list?.get(`${host} ${port}`)
    if (known) this.#missing.delete(known)
    list?.delete(`${host} ${port}`)
    if (list?.size === 0) this.#services.delete(service_name)
    changed.add(service_name)
  }

  #relist(changed: ReadonlySet<string>): void {
    for (const service of changed) {
      const list = [...(this.#services.get(service)?.values() ?? [])].sort((a, b) => (a.id < b.id ? -1 : 1))
      if (list.length > 0) this.#lists.set(service, Object.freeze(list))
      else this.#lists.delete(service)
    }
  }
}
