import { type ColumnDefinitionBuilder, type Kysely, SqliteAdapter } from 'kysely'

/**
 * For a migration: makes a column the table's integer key, given out by the database and never twice, not even after the row is
 * deleted. Each database has its own words for that.
 * @example db.schema.createTable('users').addColumn('id', 'integer', serialId(db))
 */
export function serialId<DB>(db: Kysely<DB>): (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder {
  return db.getExecutor().adapter instanceof SqliteAdapter
    ? (column) => column.primaryKey().autoIncrement()
    : (column) => column.primaryKey().generatedByDefaultAsIdentity()
}
