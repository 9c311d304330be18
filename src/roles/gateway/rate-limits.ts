import type { Taken } from '../../drivers/cache/contract.ts'
import { TokenBuckets } from '../../drivers/cache/token-buckets.ts'
import type { Clock } from '../../drivers/clock.ts'
import { AppError } from '../../kit/errors.ts'
import type { RateLimit, Route } from './route-table.ts'

/** Counts by one limit, each caller for himself. */
export interface Limiter {
  /** Takes a token: at once where this gateway counts alone. @param key whose, of what the caller can't choose: a verified subject or his address */
  take(key: string): Taken | Promise<Taken>
}

/** Makes a limiter. @param name the limit's own */
export type MakeLimiter = (name: string, limit: RateLimit) => Limiter

/** The limits of one route: one for methods that read, one for those that write; absent where there is none. */
interface RouteLimits {
  readonly reads: Limiter | undefined
  readonly writes: Limiter | undefined
}

/** Makes the limiters of all routes. */
export function rateLimits(routes: readonly Route[], make: MakeLimiter): ReadonlyMap<Route, RouteLimits> {
  return new Map(
    routes.map((route) => {
      const { prefix, methods, read_limit, write_limit } = route
      // a prefix may have several routes, and each of its methods one
      const name = `${prefix} ${Object.keys(methods).join()}`
      return [
        route,
        {
          reads: read_limit && make(`${name} reads`, read_limit),
          writes: write_limit && make(`${name} writes`, write_limit),
        },
      ]
    }),
  )
}

/** Makes limiters of this gateway's own, with buckets of 10 000 callers each. */
export function ownLimiters(clock: Clock): MakeLimiter {
  return (_, { per_second: perSecond, burst }) => {
    const buckets = new TokenBuckets()
    const limit = { perSecond, burst }
    return { take: (key) => buckets.take(key, limit, clock.monotonic()) }
  }
}

/** What a caller is told who is over his limit; undefined when he may go on. */
export function overLimit({ allowed, retryAfterMs }: Taken): AppError | undefined {
  if (allowed) return undefined
  const headers = { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) }
  return new AppError('RATE_LIMITED', 'Too many requests', { headers })
}

/** Whether a method changes nothing (RFC 9110 §9.2.1). */
export function isSafe(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
}
