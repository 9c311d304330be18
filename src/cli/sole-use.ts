import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { FileLock } from '../drivers/file-lock.ts'
import { holdDatabase } from '../kit/database-lock.ts'
import { AppError } from '../kit/errors.ts'
import { readRunStates } from './run-state.ts'

/**
 * Refuses services whose database another `msvc up` or `msvc serve` has open: what a role keeps in memory, and what it sends on, is only right
 * for one. One without a database, such as the gateway, may run twice. Throws AppError `USAGE`.
 */
export async function refuseSharing(data: string, services: readonly string[]): Promise<void> {
  for (const { pid, roles } of await readRunStates(data)) {
    const held = roles.filter(({ service }) => services.includes(service) && existsSync(databaseOf(data, service)))
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
export function holdDatabases(data: string, services: readonly string[]): () => void {
  const locks: FileLock[] = []
  const release = () => {
    for (const lock of locks) lock.release()
  }
  try {
    for (const service of new Set(services)) locks.push(holdDatabase(data, databaseName(service)))
    return release
  } catch (fault) {
    release()
    throw fault
  }
}

function databaseOf(data: string, service: string): string {
  return join(data, `${databaseName(service)}.db`)
}

function databaseName(service: string): string {
  return service === 'broker' ? 'bus' : service
}
