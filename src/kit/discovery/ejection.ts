/** How an instance has answered lately: `closed` takes traffic, `ejected` none until `until`, `half-open` one request on trial. */
export type Standing =
  | { readonly at: 'closed'; readonly failures: number }
  | { readonly at: 'ejected'; readonly until: number }
  | { readonly at: 'half-open' }

/** When an instance is ejected and for how long. */
export interface EjectionLimits {
  /** Consecutive failures that eject. Default 5 (the seed's breaker, 9.7.6; Envoy's `consecutive_5xx`). */
  readonly failures: number
  /** Milliseconds out of rotation before one request is tried, unless it says before that it is well. Default 60 000 (the seed's). */
  readonly holdMs: number
  /** Largest share of a service's instances that may be out at once, rounded down. Default 0.5 (Envoy's advice). */
  readonly maxShare: number
}

/** The limits unless configured otherwise. */
export const EJECTION_LIMITS: EjectionLimits = { failures: 5, holdMs: 60_000, maxShare: 0.5 }

/** The standing of an instance nothing is known about. */
export const IN_ROTATION: Standing = { at: 'closed', failures: 0 }
const ON_TRIAL: Standing = { at: 'half-open' }

/** True when the hold is over and one request may try the instance. */
export function isDue(standing: Standing, now: number): boolean {
  return standing.at === 'ejected' && now >= standing.until
}

/** After the instance said that it is well: due at once. So is one on trial, whose request may be one that takes long. */
export function afterProbe(standing: Standing, now: number): Standing {
  return standing.at === 'closed' ? standing : { at: 'ejected', until: now }
}

/** The trial has begun; everyone else stays away until it ends. */
export function onTrial(): Standing {
  return ON_TRIAL
}

/** After a good answer. One that was asked before the ejection and came late proves nothing, so only the trial's counts then. */
export function afterSuccess(standing: Standing, trial: boolean): Standing {
  return standing.at === 'closed' || trial ? IN_ROTATION : standing
}

/**
 * After a failure.
 * @param trial whether it was the half-open trial that failed
 * @param weight how many failures it counts for, from 1
 * @param mayEject whether the share of ejected instances leaves room for one more
 * @param now monotonic milliseconds
 */
export function afterFailure(
  standing: Standing,
  trial: boolean,
  weight: number,
  mayEject: boolean,
  now: number,
  limits: EjectionLimits,
): Standing {
  if (trial) return { at: 'ejected', until: now + limits.holdMs }
  if (standing.at !== 'closed') return standing
  const failures = Math.min(standing.failures + weight, limits.failures)
  if (failures === limits.failures && mayEject) return { at: 'ejected', until: now + limits.holdMs }
  return { at: 'closed', failures }
}

/** After a trial that said nothing, such as one whose caller went away: due at once, for the next request to try. */
export function afterSilence(standing: Standing, trial: boolean, now: number): Standing {
  return trial && standing.at === 'half-open' ? { at: 'ejected', until: now } : standing
}
