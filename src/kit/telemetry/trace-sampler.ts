import type { Clock } from '../../drivers/clock.ts'

/**
 * Decides which new traces are kept: a token bucket, full at the start, so that a quiet service keeps every
 * trace and a busy one `perSecond` of them.
 * @param perSecond traces kept a second; 0 keeps none
 */
export function createTraceSampler(perSecond: number, clock: Pick<Clock, 'monotonic'>): () => boolean {
  let tokens = perSecond
  let filledAt = clock.monotonic()
  return function keep() {
    if (tokens < 1) {
      const now = clock.monotonic()
      tokens = Math.min(perSecond, tokens + ((now - filledAt) / 1000) * perSecond)
      filledAt = now
      if (tokens < 1) return false
    }
    tokens--
    return true
  }
}
