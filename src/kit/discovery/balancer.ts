import type { Clock } from '../../drivers/clock.ts'
import type { Instance } from './directory.ts'
import {
  afterFailure,
  afterProbe,
  afterSilence,
  afterSuccess,
  EJECTION_LIMITS,
  type EjectionLimits,
  IN_ROTATION,
  isDue,
  onTrial,
  type Standing,
} from './ejection.ts'

/**
 * How a request went, as far as the instance is to blame.
 * - `unreachable`: its address said nothing, not even no, until the time to connect was up: each further try would wait as long.
 * - `cancelled`: nothing is known of it (the caller went away).
 */
export type Verdict = 'success' | 'failure' | 'unreachable' | 'cancelled'

/** An instance to send one request to. */
export interface Pick {
  readonly instance: Instance
  /** Call exactly when the request is over, whatever came of it; later calls do nothing. */
  done(outcome: Verdict): void
}

/** Chooses instances and learns from how requests to them went. */
export interface Balancer {
  /**
   * The instance for the next request; undefined when there is none, or, where all may be out at once, when all are.
   * @param instances a service's list as `Directory.instances` gave it
   * @param avoid instances this request has already failed on; taken again only when nothing else is left
   */
  pick(instances: readonly Instance[], avoid?: ReadonlySet<Instance>): Pick | undefined
  /** True when a pick made now would give an instance. */
  any(instances: readonly Instance[]): boolean
  /** An ejected instance says that it is well: the next request may try it, whatever is left of its hold. */
  answered(instance: Instance): void
  /** True while the instance gets no traffic but a trial request, for metrics and diagnosis. */
  isEjected(instance: Instance): boolean
}

/** What a balancer tells time and rolls dice with, and when it ejects. */
export interface BalancerOptions {
  readonly clock: Clock
  /** Uniform in [0, 1). Default `Math.random`. */
  readonly random?: () => number
  readonly limits?: Partial<EjectionLimits>
  /** Told when an instance is ejected, and when it is back in rotation. */
  readonly onChange?: (instance: Instance, change: 'ejected' | 'back') => void
}

/** What is known of one instance. Goes with the Instance object: a restarted replica is a new object and starts afresh. */
interface Track {
  inFlight: number
  standing: Standing
  /** Counts ejections and returns: a request that began before the last of them says nothing about now. */
  term: number
}

/**
 * Balances by the power of two choices: of two instances drawn at random, the one with fewer requests under way (Mitzenmacher
 * 2001), so that a slow one gets less by itself. Five consecutive failures eject an instance for 60 s, and the first time that it can't be reached
 * does where others can (nginx's `max_fails=1`); then one request tries it.
 * At most half of a service's instances are out at once, so the only one never is; with a `maxShare` of 1 it is a circuit breaker (seed 9.7.6),
 * which opens for the last one too: callers then fail at once instead of after a timeout. Serves any number of services.
 * @example
 * const picked = balancer.pick(directory.instances('user-service'))
 * if (!picked) throw new AppError('UNREACHABLE', 'No user-service is known')
 * try { const answer = await call(picked.instance.url); picked.done(answer.status < 500 ? 'success' : 'failure') }
 * catch (fault) { picked.done('failure'); throw fault }
 */
export function createBalancer(options: BalancerOptions): Balancer {
  const { clock, random = Math.random, limits: given, onChange } = options
  const limits = { ...EJECTION_LIMITS, ...given }
  const tracks = new WeakMap<Instance, Track>()
  /** Instances not in rotation; while empty, which is nearly always, choosing needs no scan. */
  const out = new Set<Track>()

  function trackOf(instance: Instance): Track {
    let track = tracks.get(instance)
    if (!track) {
      track = { inFlight: 0, standing: IN_ROTATION, term: 0 }
      tracks.set(instance, track)
    }
    return track
  }

  function settle(track: Track, standing: Standing): void {
    track.standing = standing
    if (standing.at === 'closed') out.delete(track)
    else out.add(track)
  }

  /** Takes in what came of a request, and tells what that changed. */
  function learn(instance: Instance, track: Track, standing: Standing): void {
    const was = track.standing.at
    settle(track, standing)
    if ((was === 'closed') === (standing.at === 'closed')) return
    track.term++
    onChange?.(instance, standing.at === 'closed' ? 'back' : 'ejected')
  }

  function mayEject(peers: readonly Instance[]): boolean {
    let ejected = 0
    for (const peer of peers) if (trackOf(peer).standing.at !== 'closed') ejected++
    return ejected + 1 <= peers.length * limits.maxShare
  }

  /** Whether somebody else takes what this one gets no more. */
  function hasOthers(track: Track, peers: readonly Instance[]): boolean {
    return peers.map(trackOf).some((peer) => peer !== track && peer.standing.at === 'closed')
  }

  /** One request under way. A class, so that a pick costs one small object and no closure. */
  class Request implements Pick {
    readonly instance: Instance
    readonly #track: Track
    readonly #peers: readonly Instance[]
    readonly #trial: boolean
    readonly #term: number
    #over = false

    constructor(instance: Instance, track: Track, peers: readonly Instance[], trial: boolean) {
      this.instance = instance
      this.#track = track
      this.#peers = peers
      this.#trial = trial
      this.#term = track.term
      track.inFlight++
    }

    done(outcome: Verdict): void {
      if (this.#over) return
      this.#over = true
      const track = this.#track
      track.inFlight--
      if (this.#term !== track.term) return
      if (outcome === 'success') {
        if (track.standing !== IN_ROTATION) learn(this.instance, track, afterSuccess(track.standing, this.#trial))
      } else if (outcome === 'failure' || outcome === 'unreachable') {
        const weight = outcome === 'unreachable' && hasOthers(track, this.#peers) ? limits.failures : 1
        const room = mayEject(this.#peers)
        learn(this.instance, track, afterFailure(track.standing, this.#trial, weight, room, clock.monotonic(), limits))
      } else if (this.#trial) settle(track, afterSilence(track.standing, true, clock.monotonic()))
    }
  }

  function lighter(one: Instance, other: Instance): Instance {
    return trackOf(other).inFlight < trackOf(one).inFlight ? other : one
  }

  /** Two of the instances at random, without ejected and avoided ones: reservoir sampling, so nothing is copied. */
  function chooseAmong(instances: readonly Instance[], avoid: ReadonlySet<Instance> | undefined): Instance | undefined {
    let first: Instance | undefined
    let second: Instance | undefined
    let seen = 0
    for (const instance of instances) {
      if (avoid?.has(instance) || trackOf(instance).standing.at !== 'closed') continue
      seen++
      if (!first) first = instance
      else if (!second) second = instance
      else {
        const slot = Math.floor(random() * seen)
        if (slot === 0) first = instance
        else if (slot === 1) second = instance
      }
    }
    if (!first || !second) return first
    return random() < 0.5 ? lighter(first, second) : lighter(second, first)
  }

  function dueForTrial(instances: readonly Instance[], avoid: ReadonlySet<Instance> | undefined): Instance | undefined {
    const now = clock.monotonic()
    forgetVanished(now)
    return instances.find((instance) => !avoid?.has(instance) && isDue(trackOf(instance).standing, now))
  }

  /** One that is due and yet was not tried for a whole hold is in no list any more, or nobody asks for it: it starts afresh. */
  function forgetVanished(now: number): void {
    for (const track of out) if (isDue(track.standing, now - limits.holdMs)) settle(track, IN_ROTATION)
  }

  function pickCarefully(instances: readonly Instance[], avoid: ReadonlySet<Instance> | undefined): Pick | undefined {
    const trial = out.size > 0 ? dueForTrial(instances, avoid) : undefined
    if (trial) {
      const track = trackOf(trial)
      settle(track, onTrial())
      return new Request(trial, track, instances, true)
    }
    const free = chooseAmong(instances, avoid) ?? chooseAmong(instances, undefined)
    const instance = free ?? (limits.maxShare < 1 ? leastBusy(instances) : undefined)
    return instance && new Request(instance, trackOf(instance), instances, false)
  }

  /** Better an ejected instance than none: reached when the list shrank to ejected ones. */
  function leastBusy(instances: readonly Instance[]): Instance | undefined {
    let least: Instance | undefined
    for (const instance of instances) least = least ? lighter(least, instance) : instance
    return least
  }

  return {
    pick(instances, avoid) {
      if (out.size > 0 || avoid) return pickCarefully(instances, avoid)
      const { length } = instances
      let instance = instances[0]
      if (!instance) return undefined
      if (length > 1) {
        const at = Math.floor(random() * length)
        const other = instances[(at + 1 + Math.floor(random() * (length - 1))) % length]
        instance = instances[at] ?? instance
        if (other) instance = lighter(instance, other)
      }
      return new Request(instance, trackOf(instance), instances, false)
    },
    any(instances) {
      if (out.size === 0 || limits.maxShare < 1) return instances.length > 0
      const now = clock.monotonic()
      return instances.map(trackOf).some(({ standing }) => standing.at === 'closed' || isDue(standing, now))
    },
    answered(instance) {
      const track = trackOf(instance)
      settle(track, afterProbe(track.standing, clock.monotonic()))
    },
    isEjected: (instance) => (tracks.get(instance) ?? { standing: IN_ROTATION }).standing.at !== 'closed',
  }
}
