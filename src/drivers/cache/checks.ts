import { DriverError } from '../driver-error.ts'
import type { BucketLimit } from './contract.ts'

/** Throws DriverError `invalid` for a limit or a cost by which nothing could ever be taken, or anything. */
export function checkTake({ perSecond, burst }: BucketLimit, cost: number): void {
  if (!(Number.isFinite(perSecond) && perSecond > 0 && Number.isFinite(burst) && burst >= 1)) {
    throw new DriverError(
      'invalid',
      `cache: a bucket of ${burst} with ${perSecond} a second; want at least 1, and above 0`,
    )
  }
  if (!(cost > 0 && cost <= burst)) {
    throw new DriverError('invalid', `cache: a cost of ${cost}; want above 0, and at most the burst of ${burst}`)
  }
}

/** Throws DriverError `invalid` for a time that no lease can have. @param ttlMs milliseconds */
export function checkTtl(ttlMs: number): void {
  if (Number.isFinite(ttlMs) && ttlMs > 0) return
  throw new DriverError('invalid', `cache: a lease of ${ttlMs} ms; want a number above 0`)
}
