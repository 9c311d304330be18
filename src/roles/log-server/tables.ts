import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/** A log entry as its row has it. */
export interface EntryRow {
  /** Grows with time, see entry-ids.ts. */
  readonly id: number
  /** Milliseconds since 1970. */
  readonly at: number
  /** Rank: 0 for DEBUG up to 4 for CRITICAL. */
  readonly level: number
  readonly service: string
  readonly instance: string
  readonly message: string
  readonly trace_id: string | null
  readonly span_id: string | null
  /** JSON. */
  readonly metadata: string | null
}

/** A span as its row has it. */
export interface SpanRow {
  readonly trace_id: string
  readonly span_id: string
  readonly parent_span_id: string | null
  readonly service: string
  readonly operation: string
  readonly kind: string
  /** Milliseconds since 1970, with a fraction. */
  readonly started_at: number
  readonly duration_ms: number
  /** 1 for an error. */
  readonly failed: number
  /** JSON. */
  readonly tags: string
}

/** What the list of traces is found by; the rest of a summary comes from its spans. */
export interface TraceRow {
  readonly trace_id: string
  /** Its first start and its last end, in milliseconds since 1970, with a fraction. */
  readonly started_at: number
  readonly ended_at: number
  /** 1 when a span of it is an error. */
  readonly failed: number
}

/** The log server's database. */
export interface LogTables {
  log_entries: EntryRow
  /** Full-text index over `log_entries`; its `rowid` is the entry's id. */
  log_search: { readonly rowid: number }
  spans: SpanRow
  traces: TraceRow
}

/** The text a row is found by: its message and its metadata, whose JSON escapes become spaces (or `\nfailed` would be the word `nfailed`). */
export const searchable = (row: 'new' | 'old' | 'log_entries') =>
  sql.raw(
    String.raw`${row}.message || ' ' || replace(replace(replace(replace(coalesce(${row}.metadata, ''), '\\', ' '), '\n', ' '), '\r', ' '), '\t', ' ')`,
  )

const entries: Migration = {
  async up(db: Kysely<unknown>) {
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
  },
}

const spans: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('spans')
      .addColumn('trace_id', 'text', (column) => column.notNull())
      .addColumn('span_id', 'text', (column) => column.notNull())
      .addColumn('parent_span_id', 'text')
      .addColumn('service', 'text', (column) => column.notNull())
      .addColumn('operation', 'text', (column) => column.notNull())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('started_at', 'double precision', (column) => column.notNull())
      .addColumn('duration_ms', 'double precision', (column) => column.notNull())
      .addColumn('failed', 'integer', (column) => column.notNull())
      .addColumn('tags', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('spans_key', ['trace_id', 'span_id'])
      .execute()
    await db.schema
      .createTable('traces')
      .addColumn('trace_id', 'text', (column) => column.primaryKey())
      .addColumn('started_at', 'double precision', (column) => column.notNull())
      .addColumn('ended_at', 'double precision', (column) => column.notNull())
      .addColumn('failed', 'integer', (column) => column.notNull())
      .execute()
    await db.schema.createIndex('traces_by_start').on('traces').columns(['started_at', 'trace_id']).execute()
  },
}

/** The log server's tables, by migration. */
export const logMigrations: Readonly<Record<string, Migration>> = { '001-entries': entries, '002-spans': spans }
