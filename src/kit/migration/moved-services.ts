import { sql } from 'kysely'
import { isEmbedded } from '../../drivers/by-scheme.ts'
import type { StorePlace, StoreSnapshot } from '../../drivers/store/contract.ts'
import { dialectOf } from '../../drivers/store/dialect.ts'
import { readStore } from '../../drivers/store/open.ts'
import { dataFiles } from '../backup/data-files.ts'
import { AppError } from '../errors.ts'
import type { KeptData } from '../kept-data.ts'

/** A service with a store to move. */
export interface MovedService {
  /** The store's name. */
  readonly name: string
  readonly keeps: KeptData
}

/** A role that keeps something. */
export interface KeepingRole {
  readonly service: string
  readonly keeps?: KeptData | undefined
}

/** The embedded bus's file, which is no service's store. */
export const BUS_FILE = 'bus.db'

/**
 * Which services have a store to move: those of the roles, and in a data folder whatever else has the tables of one, as a role that is served under another
 * name. Throws AppError `CONFLICT` for a database that is nobody's, which would be left behind.
 */
export async function movedServices(
  roles: readonly KeepingRole[],
  place: Omit<StorePlace, 'name'>,
): Promise<readonly MovedService[]> {
  const known = roles.flatMap(({ service, keeps }) => (keeps ? [{ name: service, keeps }] : []))
  if (!isEmbedded(place.url)) return known
  const names = dataFiles(place.folder)
    .databases.filter((file) => file !== BUS_FILE)
    .map((file) => file.replace(/\.db$/, ''))
  const services: MovedService[] = []
  for (const name of names)
    services.push(known.find((one) => one.name === name) ?? (await namedOtherwise(name, known, place)))
  return services
}

async function namedOtherwise(
  name: string,
  known: readonly MovedService[],
  place: Omit<StorePlace, 'name'>,
): Promise<MovedService> {
  const snapshot = await readStore({ ...place, name })
  try {
    const seen = snapshot ? await migrationsOf(snapshot) : []
    const like = known.find(({ keeps }) => seen.length > 0 && seen.every((one) => Object.hasOwn(keeps.migrations, one)))
    if (like) return { name, keeps: like.keeps }
  } finally {
    await snapshot?.close()
  }
  throw new AppError(
    'CONFLICT',
    `${place.folder}/${name}.db is no database of this platform's roles and would be left behind: move it out of the folder first`,
  )
}

/** The migrations that a store has seen. Rejects with DriverError. */
async function migrationsOf({ db }: Pick<StoreSnapshot, 'db'>): Promise<readonly string[]> {
  const { rows: tables } = await dialectOf(db).findTable('kysely_migration').execute(db)
  if (tables.length === 0) return []
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db)
  return rows.map((row) => row.name)
}

/** Throws AppError `CONFLICT` for a store that another version of the program has written to. Rejects with DriverError. */
export async function wantSameVersion(snapshot: StoreSnapshot, { name, keeps }: MovedService): Promise<void> {
  const seen = new Set(await migrationsOf(snapshot))
  const wanted = new Set(Object.keys(keeps.migrations))
  if (seen.size === wanted.size && seen.isSubsetOf(wanted)) return
  const advice = seen.isSubsetOf(wanted)
    ? 'an older version of the program has made its tables: start its platform once with this one, stop it, and try again'
    : 'a newer version of the program has made its tables: use that one'
  throw new AppError('CONFLICT', `${name} store: ${advice}`)
}
