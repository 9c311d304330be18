import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isEmbedded } from '../../drivers/by-scheme.ts'
import type { FileLock } from '../../drivers/file-lock.ts'
import type { Settings } from '../../kit/config/schema.ts'
import { holdDatabase } from '../../kit/database-lock.ts'
import { AppError } from '../../kit/errors.ts'
import { readRunStates } from '../session/run-state.ts'

/** Where services keep what they keep. */
type Place = Pick<Settings, 'data' | 'store' | 'bus'>

/** The name of the broker's database. */
const BUS = 'bus'

/**
 * Refuses services whose database another `msvc up` or `msvc serve` has open: what a role keeps in memory, and what it sends on, is only right
 * for one. One without a database in the data folder, such as the gateway, may run twice. Throws AppError `USAGE`.
 */
export async function refuseSharing(place: Place, services: readonly string[]): Promise<void> {
  const { data } = place
  const kept = services.filter((service) => isKeptHere(place, service))
  for (const { pid, roles } of await readRunStates(data)) {
    const held = roles.filter(({ service }) => kept.includes(service) && existsSync(databaseOf(data, service)))
    if (held.length === 0) continue
    const paths = [...new Set(held.map(({ service }) => databaseOf(data, service)))]
    throw new AppError(
      'USAGE',
      `${paths.join(', ')}: open in another process (${pid}); stop that one, or choose another folder with --data`,
    )
  }
}

/**
 * Holds the databases of services until it is called off, whether there are any yet or not. Throws AppError `CONFIG_INVALID`, and holds none then,
 * when another process has one.
 */
export function holdDatabases(place: Place, services: readonly string[]): () => void {
  const kept = new Set(services.filter((service) => isKeptHere(place, service)))
  const locks: FileLock[] = []
  const release = () => {
    for (const lock of locks) lock.release()
  }
  try {
    for (const service of kept) locks.push(holdDatabase(place.data, databaseName(service)))
    return release
  } catch (fault) {
    release()
    throw fault
  }
}

/** Whether a service would keep its database in the data folder, not on a server. */
function isKeptHere({ store, bus }: Place, service: string): boolean {
  return isEmbedded(databaseName(service) === BUS ? bus : store)
}

function databaseOf(data: string, service: string): string {
  return join(data, `${databaseName(service)}.db`)
}

function databaseName(service: string): string {
  return service === 'broker' ? BUS : service
}
