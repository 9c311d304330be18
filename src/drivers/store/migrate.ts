import { sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { DriverError } from '../driver-error.ts'
import type { Store } from './contract.ts'
import { dialectOf } from './dialect.ts'

/**
 * Brings a store's tables up to date: runs the migrations it hasn't seen yet, in the order of their names, all in one
 * transaction. Processes that open the same store at once take turns, and the second finds nothing left to do.
 *
 * Costs two reads when there is nothing to do.
 *
 * @param name the store's name, which its schema has too where there are schemas
 * @throws DriverError the failed migration's own kind, or `invalid` when a migration is wrong, or when the store has
 *   seen one that isn't in the list (its tables belong to a newer version of the program)
 */
export async function migrate<DB>(
  store: Pick<Store<DB>, 'db' | 'transaction'>,
  name: string,
  migrations: Readonly<Record<string, Migration>>,
): Promise<void> {
  const seen = await seenMigrations(store)
  const wanted = new Set(Object.keys(migrations))
  if (seen.size === wanted.size && seen.isSubsetOf(wanted)) return
  const foreign = seen.difference(wanted)
  if (foreign.size > 0) throw new DriverError('invalid', `${name} store: ${strangeness(seen, foreign)}`)
  await store.transaction(async (trx) => {
    const migrator = new Migrator({
      db: trx,
      provider: { getMigrations: async () => ({ ...migrations }) },
      // or the tables of the services beside it would count as its own
      ...(dialectOf(trx).name === 'postgres' && { migrationTableSchema: name }),
    })
    const { error, results } = await migrator.migrateToLatest()
    if (error === undefined) return
    const failed = results?.find((result) => result.status === 'Error')
    const what = failed === undefined ? 'migrating' : `migration ${failed.migrationName}`
    const kind = error instanceof DriverError ? error.kind : 'invalid'
    const why = error instanceof Error ? error.message : String(error)
    throw new DriverError(kind, `${name} store: ${what} failed, nothing was changed: ${why}`, { cause: error })
  })
}

/** What is to be said of a store that has seen migrations which aren't in the list. */
function strangeness(seen: ReadonlySet<string>, foreign: ReadonlySet<string>): string {
  const names = [...foreign].join(', ')
  return foreign.size === seen.size
    ? `it is another service's, which made ${names}; was a file swapped? put the right one back`
    : `a newer version of the program has made ${names} in it; run that one, or put back a copy from before`
}

async function seenMigrations<DB>({ db }: Pick<Store<DB>, 'db'>): Promise<Set<string>> {
  const table = await dialectOf(db).findTable('kysely_migration').execute(db)
  if (table.rows.length === 0) return new Set()
  const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(db)
  return new Set(rows.map((row) => row.name))
}
