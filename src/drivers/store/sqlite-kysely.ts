import { SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely'
import type { KyselyParts } from './kysely-face.ts'

/** SQLite can undo DDL, which Kysely's own adapter denies; so a migration happens as a whole or not at all. */
class TransactionalDdlAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}

/** How Kysely speaks with SQLite. */
export const SQLITE_PARTS: KyselyParts = {
  adapter: new TransactionalDdlAdapter(),
  compiler: new SqliteQueryCompiler(),
  introspector: (db) => new SqliteIntrospector(db),
}
