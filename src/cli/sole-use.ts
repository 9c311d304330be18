import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../kit/errors.ts'
import { type RunState, readRunState, readRunStates } from './run-state.ts'
import type { Session } from './session.ts'

/** How long a role may take to show that it still runs, milliseconds. */
const PATIENCE_MS = 500

/** Two platforms on one data folder would send each other's events twice. Throws AppError `USAGE`. */
export async function refuseSecondPlatform({ io }: Session, data: string): Promise<void> {
  const other = await readRunState(data, io.isAlive)
  if (!other || !(await listens(other.roles))) return
  throw new AppError(
    'USAGE',
    `a platform runs on ${data} already (process ${other.pid}); stop it, or choose another folder with --data`,
  )
}

/**
 * Refuses services whose database another `msvc up` or `msvc serve` has open: what a role keeps in memory, and what it sends on, is only right
 * for one. One without a database, such as the gateway, may run twice. Throws AppError `USAGE`.
 */
export async function refuseSharing({ io }: Session, data: string, services: readonly string[]): Promise<void> {
  for (const { pid, roles } of await readRunStates(data, io.isAlive)) {
    const held = roles.filter(({ service }) => services.includes(service) && existsSync(databaseOf(data, service)))
    if (!(await listens(held))) continue
    const paths = [...new Set(held.map(({ service }) => databaseOf(data, service)))]
    throw new AppError(
      'USAGE',
      `${paths.join(', ')}: open in another process (${pid}); stop that one, or choose another folder with --data`,
    )
  }
}

function databaseOf(data: string, service: string): string {
  return join(data, service === 'broker' ? 'bus.db' : `${service}.db`)
}

/** Whether anybody is there: the process id alone may belong to someone else by now. Who takes too long to answer is there too. */
async function listens(roles: RunState['roles']): Promise<boolean> {
  const asked = roles.map(({ url }) =>
    fetch(`${url}/livez`, { signal: AbortSignal.timeout(PATIENCE_MS) }).then(
      () => true,
      (fault: unknown) => fault instanceof Error && fault.name === 'TimeoutError',
    ),
  )
  return (await Promise.all(asked)).includes(true)
}
