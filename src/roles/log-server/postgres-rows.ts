import { type Kysely, sql } from 'kysely'
import type { EntryRow } from './entry-row.ts'
import { vectorOf } from './postgres-words.ts'
import { searchableText } from './searchable-text.ts'
import { restored, storable } from './storable-text.ts'
import type { LogTables } from './tables.ts'

/** Rows of one statement, which may take some seconds at most. */
const STATEMENT_ROWS = 1_000

/**
 * Writes entries, with their words. As one JSON text: as fast as COPY, since what costs is the index, and no connection is taken over by a stream.
 */
export async function insertRows(db: Kysely<LogTables>, rows: readonly EntryRow[]): Promise<void> {
  for (let at = 0; at < rows.length; at += STATEMENT_ROWS) {
    const json = JSON.stringify(rows.slice(at, at + STATEMENT_ROWS).map(toStored))
    await sql`
      insert into log_entries (id, at, level, service, instance, message, trace_id, span_id, metadata, details, words)
      select id, at, level, service, instance, message, trace_id, span_id, metadata, details, words
      from json_to_recordset(${json}::json) as entry (id bigint, at bigint, level smallint, service text, instance text,
        message text, trace_id text, span_id text, metadata text, details text, words tsvector)`.execute(db)
  }
}

/** The entries with these ids, newest first, as far as they are there. */
export async function readRows(db: Kysely<LogTables>, ids: readonly number[]): Promise<readonly EntryRow[]> {
  if (ids.length === 0) return []
  // in brackets, so that it isn't kept prepared: planned for these ids, it looks into their partitions alone
  const { rows } = await sql<EntryRow>`(
    select id, at, level, service, instance, message, trace_id, span_id, metadata, details from log_entries
    where id = some(${`{${ids}}`}::bigint[]) order by id desc)`.execute(db)
  return rows.map(restoredRow)
}

/** A row of the table as the entry that it was. */
export function restoredRow(row: EntryRow): EntryRow {
  return withTexts(row, restored)
}

function toStored(row: EntryRow) {
  return { ...withTexts(row, storable), words: vectorOf(searchableText(row.message, row.metadata)) }
}

/** A row, each of its texts changed. JSON has no character to change. */
function withTexts(row: EntryRow, change: (text: string) => string): EntryRow {
  return {
    ...row,
    service: change(row.service),
    instance: change(row.instance),
    message: change(row.message),
    trace_id: row.trace_id && change(row.trace_id),
    span_id: row.span_id && change(row.span_id),
  }
}
