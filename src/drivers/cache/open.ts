import { DriverError } from '../driver-error.ts'
import type { Cache, CacheDriver, CacheOptions } from './contract.ts'

/** A driver a scheme, loaded on first use. The imports are literal, so that the bundle holds them. */
const DRIVERS: Readonly<Record<string, () => Promise<CacheDriver>>> = {
  'memory:': async () => (await import('./memory.ts')).memory,
}

/**
 * Opens a cache.
 *
 * @throws DriverError `invalid` for a scheme without a driver (the message names those that have one), and whatever the
 *   driver's `open` throws
 * @example const cache = await openCache({ url: 'memory:', prefix: 'api-gateway:' })
 */
export async function openCache(options: CacheOptions): Promise<Cache> {
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:/.exec(options.url)?.[0]
  const schemes = Object.keys(DRIVERS).join(', ')
  if (scheme === undefined) {
    throw new DriverError('invalid', `cache: not a URL; it starts with a scheme, and this build has ${schemes}`)
  }
  const load = Object.hasOwn(DRIVERS, scheme) ? DRIVERS[scheme] : undefined
  if (load === undefined) throw new DriverError('invalid', `no cache driver for ${scheme}; this build has ${schemes}`)
  const driver = await load()
  return driver.open(options)
}
