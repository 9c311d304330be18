import { LruMap } from '../lru-map.ts'
import type { BucketLimit, Taken } from './contract.ts'

/** A bucket at one moment. Full and untouched is the same as absent. */
interface Bucket {
  tokens: number
  /** Monotonic milliseconds of the last refill. */
  at: number
}

/**
 * Token buckets (RFC 2697's idea, one bucket) in memory, one for each key: a bucket holds at most `burst` tokens and regains `perSecond` of them a
 * second. Keys must come from what a client can't choose: a verified subject or its address.
 */
export class TokenBuckets {
  readonly #buckets: LruMap<string, Bucket>

  /** @param maxKeys how many buckets are kept, default 10 000. Beyond it the one unused longest is forgotten, that is, full again. */
  constructor(maxKeys = 10_000) {
    this.#buckets = new LruMap(maxKeys)
  }

  /** How many buckets are kept. */
  get size(): number {
    return this.#buckets.size
  }

  /**
   * Takes tokens, if the bucket has as many.
   * @param key whose bucket
   * @param now monotonic milliseconds
   * @param cost tokens wanted, at most `burst`. Default 1
   */
  take(key: string, { perSecond, burst }: BucketLimit, now: number, cost = 1): Taken {
    const held = this.#buckets.get(key)
    const flowedIn = held ? (Math.max(0, now - held.at) * perSecond) / 1000 : 0
    const tokens = held ? Math.min(burst, held.tokens + flowedIn) : burst
    const allowed = tokens >= cost
    const left = allowed ? tokens - cost : tokens
    if (held) {
      held.tokens = left
      held.at = now
    } else this.#buckets.set(key, { tokens: left, at: now })
    return { allowed, left, retryAfterMs: allowed ? 0 : ((cost - tokens) * 1000) / perSecond }
  }
}
