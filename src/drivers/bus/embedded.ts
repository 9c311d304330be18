import { DriverError } from '../driver-error.ts'
import { freeBytes as freeOnDisk } from '../write-probe.ts'
import type { BusDriver } from './contract.ts'
import { busSnapshotOn, readBusFile } from './embedded/bus-snapshot.ts'
import type { Chance } from './embedded/chance.ts'
import { busFile, openDatabase } from './embedded/database.ts'
import { EmbeddedBus } from './embedded/embedded-bus.ts'
import { endFilling, fillBusFile } from './embedded/filled-bus.ts'
import { toDriverError } from './embedded/sqlite-fault.ts'
import { wantFillable } from './fillable.ts'

/**
 * The durable bus inside the process: one SQLite file, `<folder>/bus.db`, that belongs to it alone. Concurrent publications,
 * acknowledgements and leases share transactions, and so fsyncs; the backlog stays on disk.
 * `open` rejects with DriverError: `invalid` for a wrong URL or a newer version's file, `unavailable`, `full`.
 * @param chance what a test decides by itself. Default: `Math.random` and the file system.
 */
export function embeddedDriver({ random = Math.random, freeBytes = freeOnDisk }: Partial<Chance> = {}): BusDriver {
  return {
    scheme: 'embedded:',
    checkUrl: wantUrl,
    async snapshot(place) {
      wantUrl(place.url)
      return readBusFile(place.folder)
    },
    async fill(place, run) {
      wantUrl(place.url)
      const opened = await openDatabase(place.folder, place.clock)
      try {
        await wantFillable(busSnapshotOn(opened.database, busFile(place.folder)), run)
        return fillBusFile(opened, run)
      } catch (fault) {
        opened.database.close()
        opened.lock.release()
        throw toDriverError(fault)
      }
    },
    async checkSizes() {},
    async open(options) {
      wantUrl(options.url)
      const opened = await openDatabase(options.folder, options.clock)
      try {
        endFilling(opened.database)
        return new EmbeddedBus(opened, options, { random, freeBytes })
      } catch (fault) {
        opened.database.close()
        opened.lock.release()
        throw toDriverError(fault)
      }
    },
  }
}

/** The embedded driver on the real disk and with real randomness. */
export const embedded: BusDriver = embeddedDriver()

/** Throws DriverError `invalid`. */
function wantUrl(url: string): void {
  if (url.toLowerCase() === 'embedded:') return
  throw new DriverError('invalid', 'bus: embedded: takes nothing behind the colon; its file lies in the data folder')
}
