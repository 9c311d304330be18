import type { Taken } from '../../drivers/cache/contract.ts'
import { TokenBuckets } from '../../drivers/cache/token-buckets.ts'
import type { Clock } from '../../drivers/clock.ts'
import { AppError } from '../../kit/errors.ts'
import type { RateLimit } from './route-table.ts'

/** Counts by one limit, each caller for himself. */
export interface Limiter {
  /** Takes a token: at once where this gateway counts alone. @param key whose, of what the caller can't choose: a verified subject or his address */
  take(key: string): Taken | Promise<Taken>
}

/** Makes a limiter. @param name the limit's own */
export type MakeLimiter = (name: string, limit: RateLimit) => Limiter

/** What limits are counted by, each by its name. One that stays as it is goes on counting while others come, change and go. */
export class Limiters {
  readonly #make: MakeLimiter
  #held: ReadonlyMap<string, { readonly limit: RateLimit; readonly limiter: Limiter }> = new Map()

  constructor(make: MakeLimiter) {
    this.#make = make
  }

  /** Sets which limits there are from now on; gives what counts by each. */
  set(limits: ReadonlyMap<string, RateLimit>): ReadonlyMap<string, Limiter> {
    const held = [...limits].map(([name, limit]) => {
      const known = this.#held.get(name)
      const stays = known?.limit.per_second === limit.per_second && known.limit.burst === limit.burst
      return [name, stays ? known : { limit, limiter: this.#make(name, limit) }] as const
    })
    this.#held = new Map(held)
    return new Map(held.map(([name, { limiter }]) => [name, limiter]))
  }
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
