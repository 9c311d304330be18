import { type DriversByScheme, driverFor } from '../by-scheme.ts'
import type { Bus, BusDriver, BusOptions, BusPlace } from './contract.ts'
import type { Publication } from './publisher.ts'
import type { BusFilling, BusSnapshot } from './transfer.ts'

const DRIVERS: DriversByScheme<BusDriver> = {
  'embedded:': async () => (await import('./embedded.ts')).embedded,
  'nats:': async () => (await import('./nats.ts')).nats,
  'tls:': async () => (await import('./nats.ts')).natsOverTls,
}

/** The URL schemes that have a driver. Reading them loads none. */
export const BUS_SCHEMES: readonly string[] = Object.keys(DRIVERS)

/**
 * Opens a bus.
 *
 * @throws DriverError `invalid` for a scheme without a driver (the message names those that have one), and whatever the
 *   driver's `open` throws
 * @example const bus = await openBus({ url: 'embedded:', folder: '.msvc', clock: systemClock })
 */
export async function openBus(options: BusOptions): Promise<Bus> {
  const driver = await driverFor('bus', options.url, DRIVERS)
  return driver.open(options)
}

/** Loads the driver of a bus that is going to be opened. Throws DriverError `invalid` for a scheme without one. */
export async function loadBusDriver(url: string): Promise<void> {
  await driverFor('bus', url, DRIVERS)
}

/** Reads what a bus holds, see `BusDriver.snapshot`. Throws what `openBus` throws. */
export async function readBus(place: BusPlace): Promise<BusSnapshot | undefined> {
  const driver = await driverFor('bus', place.url, DRIVERS)
  return driver.snapshot(place)
}

/** Makes a bus to be filled, see `BusDriver.fill`. Throws what `openBus` throws. */
export async function fillBus(place: BusPlace, run: string): Promise<BusFilling> {
  const driver = await driverFor('bus', place.url, DRIVERS)
  return driver.fill(place, run)
}

/** Asks whether a bus could be filled with messages of such sizes, see `BusDriver.checkSizes`. */
export async function checkBusSizes(place: BusPlace, messages: readonly Publication[]): Promise<void> {
  const driver = await driverFor('bus', place.url, DRIVERS)
  await driver.checkSizes(place, messages)
}

/** Rejects with DriverError `invalid` for a URL that can't be a bus's; asks nobody. */
export async function checkBusUrl(url: string): Promise<void> {
  const driver = await driverFor('bus', url, DRIVERS)
  driver.checkUrl(url)
}
