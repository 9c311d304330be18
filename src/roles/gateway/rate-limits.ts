import { AppError } from '../../kit/errors.ts'
import type { RateLimit, Route } from './route-table.ts'
import { type TokenBuckets, tokenBuckets } from './token-bucket.ts'

/** The buckets of one route: one set for methods that read, one for those that write; absent where there is no limit. */
interface RouteLimits {
  readonly reads: TokenBuckets | undefined
  readonly writes: TokenBuckets | undefined
}

/** Makes the buckets of all routes. */
export function rateLimits(routes: readonly Route[]): ReadonlyMap<Route, RouteLimits> {
  const buckets = (limit: RateLimit | undefined) => limit && tokenBuckets(limit)
  return new Map(
    routes.map((route) => [route, { reads: buckets(route.read_limit), writes: buckets(route.write_limit) }]),
  )
}

/** Takes a caller's token out of its bucket. What he is told when there is none; undefined when he may go on. */
export function overLimit(buckets: TokenBuckets | undefined, key: string, now: number): AppError | undefined {
  const verdict = buckets?.take(key, now)
  if (!verdict || verdict.allowed) return undefined
  const headers = { 'retry-after': String(verdict.retryAfterSeconds) }
  return new AppError('RATE_LIMITED', 'Too many requests', { headers })
}

/** Whether a method changes nothing (RFC 9110 §9.2.1). */
export function isSafe(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
}
