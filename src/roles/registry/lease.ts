/** How long an instance may go on without a word. Times are monotonic milliseconds. */
export type Lease =
  /** Known from before the registry's restart, not heard from since. */
  | { readonly at: 'restored'; readonly until: number }
  | { readonly at: 'held'; readonly heartbeat: number; readonly until: number }
  /** Run out, and kept all the same, since too many ran out with it. */
  | { readonly at: 'preserved'; readonly heartbeat: number; readonly since: number }
  | { readonly at: 'expired'; readonly heartbeat: number | undefined; readonly since: number }

/** When silence ends a lease. */
export interface LeaseLimits {
  /** Milliseconds a heartbeat is good for. Default 30 000 (the seed's). */
  readonly leaseMs: number
  /** Share of a service's instances, or of all services, that may vanish within one lease before none of those is expired any more. Default 0.15 (Eureka's). */
  readonly maxVanished: number
  /** Milliseconds after which even a preserved instance expires: whoever is silent that long is gone. Default 300 000. */
  readonly preserveMs: number
}

/** The limits unless configured otherwise. */
export const LEASE_LIMITS: LeaseLimits = { leaseMs: 30_000, maxVanished: 0.15, preserveMs: 300_000 }

/** With fewer instances a share says nothing: three of four may well have died. */
const FEWEST_FOR_SHARE = 5

/** A lease renewed by a registration or a heartbeat now. */
export function renewed(now: number, { leaseMs }: LeaseLimits): Lease {
  return { at: 'held', heartbeat: now, until: now + leaseMs }
}

/** A fresh lease for an instance that an earlier run of the registry knew. */
export function restored(now: number, { leaseMs }: LeaseLimits): Lease {
  return { at: 'restored', until: now + leaseMs }
}

/** The same lease after the registry itself stood still for `ms`, when nobody's heartbeat could be heard. */
export function extended(lease: Lease, ms: number): Lease {
  return lease.at === 'held' || lease.at === 'restored' ? { ...lease, until: lease.until + ms } : lease
}

/** When the last heartbeat came, monotonic milliseconds; undefined when none did since the registry started. */
export function lastHeartbeat(lease: Lease): number | undefined {
  return lease.at === 'restored' ? undefined : lease.heartbeat
}

/**
 * How many instances of a service, or services, may vanish at once out of `total`: 15 % (Eureka's self-preservation), but always one, and any number
 * out of fewer than five. More than that at once is more likely the network between.
 */
export function mayVanish(total: number, { maxVanished }: LeaseLimits): number {
  return total < FEWEST_FOR_SHARE ? total : Math.max(1, Math.floor(total * maxVanished))
}

/**
 * Judges all leases at one moment. Gives those that change. Whether too many fell silent is asked of each service by itself, then of all services,
 * each of which counts once: so that none, however many of it fall silent, keeps the dead of another, and a registry that hears nobody keeps all.
 * @param services the leases of each, by instance id
 * @param now monotonic milliseconds
 */
export function judge(
  services: Iterable<ReadonlyMap<string, Lease>>,
  now: number,
  limits: LeaseLimits,
): ReadonlyMap<string, Lease> {
  const changes = new Map<string, Lease>()
  const counts = Array.from(services, (leases) => count(leases, now, limits))
  const heard = counts.filter(({ total }) => total > 0)
  const gone = heard.filter(({ total, vanished }) => vanished === total)
  const preserveAll = gone.length > mayVanish(heard.length, limits)
  for (const { unheard, silent, total, vanished } of counts) {
    for (const id of unheard) changes.set(id, { at: 'expired', heartbeat: undefined, since: now })
    const preserve = preserveAll || vanished > mayVanish(total, limits)
    for (const [id, lease] of silent) {
      const { heartbeat } = lease
      const since = lease.at === 'preserved' ? lease.since : now
      if (!preserve || now - since >= limits.preserveMs) changes.set(id, { at: 'expired', heartbeat, since: now })
      else if (lease.at === 'held') changes.set(id, { at: 'preserved', heartbeat, since })
    }
  }
  return changes
}

interface Count {
  /** Known from before, and past their time. */
  readonly unheard: readonly string[]
  /** Run out now or earlier, and not expired. */
  readonly silent: readonly (readonly [string, Lease & { at: 'held' | 'preserved' }])[]
  /** Heard of lately: all but the unheard and those that expired a lease ago. */
  readonly total: number
  /** Of these, the silent and the expired. */
  readonly vanished: number
}

function count(leases: ReadonlyMap<string, Lease>, now: number, limits: LeaseLimits): Count {
  const unheard: string[] = []
  const silent: (readonly [string, Lease & { at: 'held' | 'preserved' }])[] = []
  let total = 0
  let vanished = 0
  for (const [id, lease] of leases) {
    if (lease.at === 'restored') {
      if (lease.until <= now) unheard.push(id)
    } else if (lease.at === 'expired') {
      if (lease.heartbeat === undefined || now - lease.since >= limits.leaseMs) continue
      total++
      vanished++
    } else {
      total++
      if (lease.at === 'held' && lease.until > now) continue
      vanished++
      silent.push([id, lease])
    }
  }
  return { unheard, silent, total, vanished }
}
