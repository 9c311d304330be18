import type { Taken } from '../../drivers/cache/contract.ts'
import { TokenBuckets } from '../../drivers/cache/token-buckets.ts'
import type { Clock } from '../../drivers/clock.ts'
import { AppError } from '../../kit/errors.ts'
import type { RateLimit, Route } from './route-table.ts'

/** Counts by one limit, each caller for himself. */
export interface Limiter {
  /** Takes a token. @param key whose, of what the caller can't choose: a verified subject or his address */
  take(key: string): Taken
}

/** The limits of one route: one for methods that read, one for those that write; absent where there is none. */
interface RouteLimits {
  readonly reads: Limiter | undefined
  readonly writes: Limiter | undefined
}

/** Makes the limiters of all routes. */
export function rateLimits(routes: readonly Route[], clock: Clock): ReadonlyMap<Route, RouteLimits> {
  const limiter = (limit: RateLimit | undefined) => limit && limiterOf(limit, clock)
  return new Map(
    routes.map((route) => [route, { reads: limiter(route.read_limit), writes: limiter(route.write_limit) }]),
  )
}

/** Makes a limiter with buckets of its own, of 10 000 callers. */
export function limiterOf({ per_second: perSecond, burst }: RateLimit, clock: Clock): Limiter {
  const buckets = new TokenBuckets()
  const limit = { perSecond, burst }
  return { take: (key) => buckets.take(key, limit, clock.monotonic()) }
}

/** Takes a caller's token out of its bucket. What he is told when there is none; undefined when he may go on. */
export function overLimit(limiter: Limiter | undefined, key: string): AppError | undefined {
  const taken = limiter?.take(key)
  if (!taken || taken.allowed) return undefined
  const headers = { 'retry-after': String(Math.max(1, Math.ceil(taken.retryAfterMs / 1000))) }
  return new AppError('RATE_LIMITED', 'Too many requests', { headers })
}

/** Whether a method changes nothing (RFC 9110 §9.2.1). */
export function isSafe(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
}
