import { type DriversByScheme, driverFor } from '../by-scheme.ts'
import type { SnapshotOptions, Store, StoreDriver, StoreOptions, StorePlace, StoreSnapshot } from './contract.ts'

const DRIVERS: DriversByScheme<StoreDriver> = {
  'sqlite:': async () => (await import('./sqlite.ts')).sqlite,
  'postgres:': async () => (await import('./postgres.ts')).postgres,
  'postgresql:': async () => (await import('./postgres.ts')).postgres,
}

/** The URL schemes that have a driver. Reading them loads none. */
export const STORE_SCHEMES: readonly string[] = Object.keys(DRIVERS)

/**
 * Opens a service's store, its tables up to date.
 *
 * @throws DriverError `invalid` for a scheme without a driver (the message names those that have one), and whatever the
 *   driver's `open` throws
 * @example const store = await openStore<Tables>({ url: 'sqlite:', name: 'user-service', folder: '.msvc', migrations })
 */
export async function openStore<DB>(options: StoreOptions): Promise<Store<DB>> {
  const driver = await driverFor('store', options.url, DRIVERS)
  return driver.open<DB>(options)
}

/**
 * Reads a service's store as it is now, without changing it; see `StoreDriver.snapshot`. Throws what `openStore` throws.
 * @example const snapshot = await readStore({ url: 'sqlite:', name: 'user-service', folder: '.msvc' })
 */
export async function readStore(place: StorePlace, options?: SnapshotOptions): Promise<StoreSnapshot | undefined> {
  const driver = await driverFor('store', place.url, DRIVERS)
  return driver.snapshot(place, options)
}

/** Rejects with DriverError `invalid` for a URL that can't be a store's; asks nobody. */
export async function checkStoreUrl(url: string): Promise<void> {
  const driver = await driverFor('store', url, DRIVERS)
  driver.checkUrl(url)
}
