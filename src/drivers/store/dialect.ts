import { type ColumnDefinitionBuilder, type Kysely, type RawBuilder, SqliteAdapter, sql } from 'kysely'

/** What databases say differently, for migrations and for queries that Kysely has no words of its own for. */
export interface SqlDialect {
  readonly name: 'sqlite' | 'postgres'
  /**
   * Makes a column the table's integer key, given out by the database and never twice, not even after the row is deleted.
   * @example db.schema.createTable('users').addColumn('id', 'integer', dialectOf(db).serialId)
   */
  readonly serialId: (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder
  /** Finds one row where there is a table of that name, and none where there isn't. */
  readonly findTable: (name: string) => RawBuilder<unknown>
}

const SQLITE: SqlDialect = {
  name: 'sqlite',
  serialId: (column) => column.primaryKey().autoIncrement(),
  findTable: (name) => sql`select 1 from sqlite_master where type = 'table' and name = ${name}`,
}

const POSTGRES: SqlDialect = {
  name: 'postgres',
  serialId: (column) => column.primaryKey().generatedByDefaultAsIdentity(),
  findTable: (name) => sql`select 1 from pg_tables where schemaname = current_schema() and tablename = ${name}`,
}

/** The dialect of what lies behind a store's Kysely, or a transaction's, or a migration's. */
export function dialectOf<DB>(db: Kysely<DB>): SqlDialect {
  return db.getExecutor().adapter instanceof SqliteAdapter ? SQLITE : POSTGRES
}
