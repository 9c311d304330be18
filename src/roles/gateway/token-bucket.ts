import type { RateLimit } from './route-table.ts'

/** A bucket at one moment. Full and untouched is the same as absent. */
interface Bucket {
  tokens: number
  /** Monotonic milliseconds of the last refill. */
  at: number
}

/** Whether a request may go on, or in how many whole seconds (at least 1) it may come again. */
type LimitVerdict = { readonly allowed: true } | { readonly allowed: false; readonly retryAfterSeconds: number }

/**
 * Token buckets (RFC 2697's idea, one bucket), one for each key: a bucket holds at most `burst` tokens, regains `per_second` of them a
 * second, and a request takes one. Keys must come from what the client can't choose: a verified subject or its address.
 */
export interface TokenBuckets {
  /**
   * @param key whose bucket
   * @param now monotonic milliseconds
   */
  take(key: string, now: number): LimitVerdict
  readonly size: number
}

/**
 * Makes the buckets of one limit.
 * @param limit refill and size; both at least 1 token an hour, which the config schema checks
 * @param options.maxKeys how many buckets are kept, default 10 000. Beyond it the one unused longest is forgotten, that is, full again.
 */
export function tokenBuckets(limit: RateLimit, { maxKeys = 10_000 }: { maxKeys?: number } = {}): TokenBuckets {
  const buckets = new Map<string, Bucket>()
  const perMs = limit.per_second / 1000

  function bucketOf(key: string, now: number): Bucket {
    const held = buckets.get(key)
    if (!held) {
      const [oldest] = buckets.size >= maxKeys ? buckets.keys() : []
      if (oldest !== undefined) buckets.delete(oldest)
      return { tokens: limit.burst, at: now }
    }
    // a Map keeps the order of insertion: taking a key out and in makes it the youngest
    buckets.delete(key)
    held.tokens = Math.min(limit.burst, held.tokens + Math.max(0, now - held.at) * perMs)
    held.at = now
    return held
  }

  return {
    take(key, now) {
      const bucket = bucketOf(key, now)
      buckets.set(key, bucket)
      if (bucket.tokens < 1) {
        return { allowed: false, retryAfterSeconds: Math.max(1, Math.ceil((1 - bucket.tokens) / limit.per_second)) }
      }
      bucket.tokens -= 1
      return ALLOWED
    },
    get size() {
      return buckets.size
    },
  }
}

const ALLOWED: LimitVerdict = { allowed: true }
