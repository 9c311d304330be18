import { existsSync } from 'node:fs'
import { mkdir, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../drivers/clock.ts'
import { syncFolder } from '../backup/archive-file.ts'
import { AppError } from '../errors.ts'
import { type Backend, readMoves } from './move-notes.ts'
import { whereaboutsOf } from './whereabouts.ts'

/** What is to be filled in a data folder. */
export interface FreshDatabases {
  readonly data: string
  readonly backend: Backend
  /** Without `.db`. */
  readonly names: readonly string[]
  /** Whether databases that are there, and weren't moved away, are set aside. Default: they are refused. */
  readonly force: boolean
}

/** Databases that stand in the way of those that are to come, and may be set aside. Throws AppError `CONFLICT` where they may not. */
export function databasesInTheWay({ data, backend, names, force }: FreshDatabases): readonly string[] {
  if (readMoves(data)[backend]?.state === 'coming') return []
  const there = names.filter((name) => existsSync(join(data, `${name}.db`)))
  if (there.length === 0 || force || whereaboutsOf(data, backend).at === 'server') return there
  const files = there.map((name) => `${name}.db`).join(', ')
  throw new AppError(
    'CONFLICT',
    `${data} holds ${files} already: name a fresh folder with --data, or say --force, which sets them aside`,
  )
}

/** Sets databases aside, in a folder of their own within the data folder. @returns that folder; undefined where nothing was in the way */
export async function setDatabasesAside(
  data: string,
  names: readonly string[],
  clock: Pick<Clock, 'now'>,
): Promise<string | undefined> {
  if (names.length === 0) return undefined
  const aside = join(data, `before-${new Date(clock.now()).toISOString().replaceAll(/[-:]|\.\d+/g, '')}`)
  await mkdir(aside, { recursive: true, mode: 0o700 })
  const files = (await readdir(data)).filter((file) => names.some((name) => isOf(name, file)))
  // a database goes before its log, which is nothing without it
  for (const file of files.sort()) await rename(join(data, file), join(aside, file))
  await syncFolder(data)
  return aside
}

function isOf(name: string, file: string): boolean {
  return [`${name}.db`, `${name}.db-wal`, `${name}.db-shm`].includes(file)
}
