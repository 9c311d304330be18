import { DriverError } from '../driver-error.ts'
import type { Bus, BusDriver, BusOptions } from './contract.ts'

const DRIVERS: ReadonlyMap<string, () => Promise<BusDriver>> = new Map([
  ['embedded:', async () => (await import('./embedded.ts')).embedded],
])

/**
 * Opens the bus that `options.url` names, with the driver of its scheme.
 * @throws DriverError `invalid` when the URL can't be read or no driver speaks its scheme; otherwise what the driver throws.
 * @example const bus = await openBus({ url: 'embedded:', folder: '.msvc/broker', clock: systemClock })
 */
export async function openBus(options: BusOptions): Promise<Bus> {
  const scheme = URL.parse(options.url)?.protocol
  if (scheme === undefined) {
    throw new DriverError('invalid', 'the bus address is no URL; write for example embedded:')
  }
  const load = DRIVERS.get(scheme)
  if (load === undefined) {
    const known = [...DRIVERS.keys()].join(', ')
    throw new DriverError('invalid', `no bus driver for ${scheme}; this build has ${known}`)
  }
  return (await load()).open(options)
}
