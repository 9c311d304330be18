import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import { dialectOf } from '../../drivers/store/dialect.ts'
import { createPostgresEntries } from './postgres-entry-tables.ts'
import { createSqliteEntries, type SqliteEntryTables } from './sqlite-entry-tables.ts'

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
  /** JSON of what not every span has, with where it comes from. */
  readonly details: string | null
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
export interface LogTables extends SqliteEntryTables {
  spans: SpanRow
  traces: TraceRow
}

const entries: Migration = {
  up: (db) => (dialectOf(db).name === 'sqlite' ? createSqliteEntries(db) : createPostgresEntries(db)),
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
    // SQLite's rows have one
    if (dialectOf(db).name !== 'sqlite') {
      await sql`alter table spans add column id bigint generated always as identity unique`.execute(db)
    }
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

/** What OpenTelemetry says of spans and log records besides. */
const details: Migration = {
  async up(db: Kysely<unknown>) {
    for (const table of ['log_entries', 'spans'])
      await db.schema.alterTable(table).addColumn('details', 'text').execute()
  },
}

/** The log server's tables, by migration. */
export const logMigrations: Readonly<Record<string, Migration>> = {
  '001-entries': entries,
  '002-spans': spans,
  '003-details': details,
}
