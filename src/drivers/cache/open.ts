import { type DriversByScheme, driverFor } from '../by-scheme.ts'
import type { Cache, CacheDriver, CacheOptions } from './contract.ts'

const DRIVERS: DriversByScheme<CacheDriver> = {
  'memory:': async () => (await import('./memory.ts')).memory,
  'redis:': loadRedis,
  'rediss:': loadRedis,
  'redis+sentinel:': loadRedis,
  'rediss+sentinel:': loadRedis,
  'redis+cluster:': loadRedis,
  'rediss+cluster:': loadRedis,
}

async function loadRedis(): Promise<CacheDriver> {
  return (await import('./redis.ts')).redis
}

/** The URL schemes that have a driver. Reading them loads none. */
export const CACHE_SCHEMES: readonly string[] = Object.keys(DRIVERS)

/**
 * Opens a cache.
 *
 * @throws DriverError `invalid` for a scheme without a driver (the message names those that have one), and whatever the
 *   driver's `open` throws
 * @example const cache = await openCache({ url: 'memory:', prefix: 'api-gateway:' })
 */
export async function openCache(options: CacheOptions): Promise<Cache> {
  const driver = await driverFor('cache', options.url, DRIVERS)
  return driver.open(options)
}

/** Rejects with DriverError `invalid` for a URL that can't be a cache's; asks nobody. */
export async function checkCacheUrl(url: string): Promise<void> {
  const driver = await driverFor('cache', url, DRIVERS)
  driver.checkUrl(url)
}
