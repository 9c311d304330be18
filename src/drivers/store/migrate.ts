import { sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { DriverError } from '../driver-error.ts'
import type { Store } from './contract.ts'
import { dialectOf } from './dialect.ts'

/** What an older version can live with. */
const EXPANDING = /^\d+_expand_/

/**
 * Brings a store's tables up to date: runs the migrations it hasn't seen yet, in the order of their names, all in one
 * transaction. Processes that open the same store at once take turns, and the second finds nothing left to do.
 *
 * Costs two reads when there is nothing to do.
 *
 * Two versions of the program may use a store side by side while they are replaced one by one, so the first that starts changes tables under the other. A
 * migration that the version before can live with (a new table, a new column with a default, an index) is named `0012_expand_…`, and that version opens the store
 * all the same, also when it is started again. What it can't live with (a column that goes, is renamed or means something else) has any other name, and comes a version after
 * the one that has stopped using what goes ("expand and contract", https://martinfowler.com/bliki/ParallelChange.html). It is refused by all versions that don't know it.
 *
 * @param name the store's name, which its schema has too where there are schemas
 * @throws DriverError the failed migration's own kind, or `invalid` when a migration is wrong, or when the store has
 *   seen one that isn't in the list and doesn't only expand (its tables belong to a newer version of the program); nothing was written then
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
  if (foreign.size > 0 && wanted.isSubsetOf(seen) && foreign.values().every((one) => EXPANDING.test(one))) return
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
  const last = [...seen.difference(foreign)].toSorted().at(-1)
  return foreign.size === seen.size
    ? `it is another service's, which made ${names}; was a file swapped? put the right one back`
    : `a newer version of the program has made ${names} in it, and this one knows nothing behind ${last}; run that one, or put back a backup from before`
}

async function seenMigrations<DB>({ db }: Pick<Store<DB>, 'db'>): Promise<Set<string>> {
  const table = await dialectOf(db).findTable('kysely_migration').execute(db)
  if (table.rows.length === 0) return new Set()
  const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(db)
  return new Set(rows.map((row) => row.name))
}
