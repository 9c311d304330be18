/** A health check: resolves when the thing works, throws why it doesn't. One that takes longer than a second has failed. */
export type Check = (signal: AbortSignal) => Promise<void>

/**
 * What a check that fails says of the role:
 * - `unhealthy`: traffic should go elsewhere (503, and not ready).
 * - `degraded`: it serves, though something can't be done (200, and ready).
 */
export type Failing = 'unhealthy' | 'degraded'

/** A check, and what it means when it fails. */
export interface HealthCheck {
  readonly check: Check
  readonly failing: Failing
}

/** Adds a check to `/health` and, unless it only degrades, to `/readyz`. `failing` is `unhealthy` by default. */
export type AddCheck = (name: string, check: Check, failing?: Failing) => void
