import { type Kysely, sql } from 'kysely'
import type { EntryRow } from './entry-row.ts'

/** What SQLite keeps entries in. */
export interface SqliteEntryTables {
  log_entries: EntryRow
  /** Full-text index over `log_entries`; its `rowid` is the entry's id. */
  log_search: { readonly rowid: number }
}

/** The text a row is found by: its message and its metadata, whose JSON escapes become spaces (or `\nfailed` would be the word `nfailed`). */
export const searchable = (row: 'new' | 'old' | 'log_entries') =>
  sql.raw(
    String.raw`${row}.message || ' ' || replace(replace(replace(replace(coalesce(${row}.metadata, ''), '\\', ' '), '\n', ' '), '\r', ' '), '\t', ' ')`,
  )

/** Makes the tables. */
export async function createSqliteEntries(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('log_entries')
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('at', 'integer', (column) => column.notNull())
    .addColumn('level', 'integer', (column) => column.notNull())
    .addColumn('service', 'text', (column) => column.notNull())
    .addColumn('instance', 'text', (column) => column.notNull())
    .addColumn('message', 'text', (column) => column.notNull())
    .addColumn('trace_id', 'text')
    .addColumn('span_id', 'text')
    .addColumn('metadata', 'text')
    .execute()
  await db.schema
    .createIndex('log_entries_by_trace')
    .on('log_entries')
    .column('trace_id')
    .where(sql.ref('trace_id'), 'is not', null)
    .execute()
  // Contentless, with FTS5's own delete command: `contentless_delete` stops the world for seconds to merge its tombstones away.
  await sql`
    create virtual table log_search using fts5
    (text, content = '', tokenize = 'unicode61 remove_diacritics 2')`.execute(db)
  await sql`
    create trigger log_entries_indexed after insert on log_entries begin
      insert into log_search (rowid, text) values (new.id, ${searchable('new')});
    end`.execute(db)
  await sql`
    create trigger log_entries_forgotten after delete on log_entries begin
      insert into log_search (log_search, rowid, text) values ('delete', old.id, ${searchable('old')});
    end`.execute(db)
}
