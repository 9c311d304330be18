import { DriverError } from '../driver-error.ts'
import type { Store, StoreDriver, StoreOptions } from './contract.ts'

/** A driver a scheme, loaded on first use. The imports are literal, so that the bundle holds them. */
const DRIVERS: Readonly<Record<string, () => Promise<StoreDriver>>> = {
  'sqlite:': async () => (await import('./sqlite.ts')).sqlite,
}

/**
 * Opens a service's store, its tables up to date.
 *
 * @throws DriverError `invalid` for a scheme without a driver (the message names those that have one), and whatever the
 *   driver's `open` throws
 * @example const store = await openStore<Tables>({ url: 'sqlite:', name: 'user-service', folder: '.msvc', migrations })
 */
export async function openStore<DB>(options: StoreOptions): Promise<Store<DB>> {
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:/.exec(options.url)?.[0]
  const schemes = Object.keys(DRIVERS).join(', ')
  if (scheme === undefined) {
    throw new DriverError('invalid', `store: not a URL; it starts with a scheme, and this build has ${schemes}`)
  }
  const load = Object.hasOwn(DRIVERS, scheme) ? DRIVERS[scheme] : undefined
  if (load === undefined) throw new DriverError('invalid', `no store driver for ${scheme}; this build has ${schemes}`)
  const driver = await load()
  return driver.open<DB>(options)
}
