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

/** Whether a method changes nothing (RFC 9110 §9.2.1). */
export function isSafe(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
}
