import { type Kysely, sql } from 'kysely'
import { formatTimestamp } from '../../kit/telemetry/timestamps.ts'
import type { TraceSummary } from './contract.ts'
import { wordsFor } from './sql-words.ts'
import type { LogTables, SpanRow, TraceRow } from './tables.ts'

/** Services of a trace that are named in the list. */
const MAX_SERVICES = 32

interface Parts {
  readonly trace_id: string
  readonly spans: number
  /** JSON. */
  readonly services: string | null
}

type Root = Pick<SpanRow, 'trace_id' | 'service' | 'operation'>

/**
 * Describes each trace of a page: how many spans of which services, and what it began with. That is its root, or the earliest span as
 * long as the root hasn't come, or was never kept.
 */
export async function summarise(db: Kysely<LogTables>, traces: readonly TraceRow[]): Promise<TraceSummary[]> {
  if (traces.length === 0) return []
  const ids = traces.map((trace) => trace.trace_id)
  const [parts, roots] = [await partsOf(db, ids), await rootsOf(db, ids)]
  const { given } = wordsFor(db)
  const summaries: TraceSummary[] = []
  for (const trace of traces) {
    const { spans, services } = parts.get(trace.trace_id) ?? { spans: 0, services: null }
    const { service, operation } = roots.get(trace.trace_id) ?? (await earliestOf(db, trace.trace_id))
    summaries.push({
      trace_id: trace.trace_id,
      service: given(service),
      operation: given(operation),
      start: formatTimestamp(trace.started_at),
      duration_ms: Math.round((trace.ended_at - trace.started_at) * 1000) / 1000,
      spans,
      services: JSON.parse(services ?? '[]').map(given),
      status: trace.failed ? 'error' : 'ok',
    })
  }
  return summaries
}

/** How many spans each trace has, and the services that took part, by name. */
async function partsOf(db: Kysely<LogTables>, ids: readonly string[]): Promise<Map<string, Parts>> {
  const { isTextOf, listOf } = wordsFor(db)
  const { rows } = await sql<Parts>`
    select trace_id, cast(sum(spans) as bigint) as spans,
      ${listOf(sql`service`, sql`service`, sql`place <= ${MAX_SERVICES}`)} as services
    from (select trace_id, service, count(*) as spans, row_number() over (partition by trace_id order by service) as place
      from spans where trace_id ${isTextOf(ids)} group by trace_id, service) as parts
    group by trace_id`.execute(db)
  return new Map(rows.map((row) => [row.trace_id, row]))
}

async function rootsOf(db: Kysely<LogTables>, ids: readonly string[]): Promise<Map<string, Root>> {
  const rows = await db
    .selectFrom('spans')
    .select(['trace_id', 'service', 'operation'])
    .where('trace_id', 'in', ids)
    .where('parent_span_id', 'is', null)
    .orderBy('started_at', 'desc')
    .orderBy(sql`${wordsFor(db).key} desc`)
    .execute()
  return new Map(rows.map((row) => [row.trace_id, row]))
}

async function earliestOf(db: Kysely<LogTables>, traceId: string): Promise<Root> {
  const row = await db
    .selectFrom('spans')
    .select(['trace_id', 'service', 'operation'])
    .where('trace_id', '=', traceId)
    .orderBy('started_at')
    .orderBy(sql`${wordsFor(db).key}`)
    .limit(1)
    .executeTakeFirst()
  return row ?? { trace_id: traceId, service: '', operation: '' }
}
