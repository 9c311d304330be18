import type { Kysely } from 'kysely'
import type { TraceSummary } from './contract.ts'
import type { LogTables, SpanRow, TraceRow } from './tables.ts'
import { formatTimestamp } from './timestamps.ts'

type Root = Pick<SpanRow, 'trace_id' | 'service' | 'operation'>

/**
 * Describes each trace of a page: how many spans of which services, and what it began with. That is its root, or the earliest span as
 * long as the root hasn't come, or was never kept.
 */
export async function summarise(db: Kysely<LogTables>, traces: readonly TraceRow[]): Promise<TraceSummary[]> {
  if (traces.length === 0) return []
  const ids = traces.map((trace) => trace.trace_id)
  const [parts, roots] = [await partsOf(db, ids), await rootsOf(db, ids)]
  const summaries: TraceSummary[] = []
  for (const trace of traces) {
    const services = parts.get(trace.trace_id) ?? new Map<string, number>()
    const { service, operation } = roots.get(trace.trace_id) ?? (await earliestOf(db, trace.trace_id))
    summaries.push({
      trace_id: trace.trace_id,
      service,
      operation,
      start: formatTimestamp(trace.started_at),
      duration_ms: Math.round((trace.ended_at - trace.started_at) * 1000) / 1000,
      spans: services.values().reduce((sum, count) => sum + count, 0),
      services: [...services.keys()],
      status: trace.failed ? 'error' : 'ok',
    })
  }
  return summaries
}

/** How many spans each service has in each trace, services by name. */
async function partsOf(db: Kysely<LogTables>, ids: readonly string[]): Promise<Map<string, Map<string, number>>> {
  const rows = await db
    .selectFrom('spans')
    .select(({ fn }) => ['trace_id', 'service', fn.countAll<number>().as('spans')])
    .where('trace_id', 'in', ids)
    .groupBy(['trace_id', 'service'])
    .orderBy('service')
    .execute()
  const parts = new Map<string, Map<string, number>>()
  for (const { trace_id, service, spans } of rows) {
    const services = parts.get(trace_id) ?? new Map<string, number>()
    parts.set(trace_id, services.set(service, Number(spans)))
  }
  return parts
}

async function rootsOf(db: Kysely<LogTables>, ids: readonly string[]): Promise<Map<string, Root>> {
  const rows = await db
    .selectFrom('spans')
    .select(['trace_id', 'service', 'operation'])
    .where('trace_id', 'in', ids)
    .where('parent_span_id', 'is', null)
    .orderBy('started_at', 'desc')
    .execute()
  return new Map(rows.map((row) => [row.trace_id, row]))
}

async function earliestOf(db: Kysely<LogTables>, traceId: string): Promise<Root> {
  const row = await db
    .selectFrom('spans')
    .select(['trace_id', 'service', 'operation'])
    .where('trace_id', '=', traceId)
    .orderBy('started_at')
    .limit(1)
    .executeTakeFirst()
  return row ?? { trace_id: traceId, service: '', operation: '' }
}
