import { type Kysely, sql, type Transaction } from 'kysely'
import type { Clock } from '../../drivers/clock.ts'
import type { Store } from '../../drivers/store/contract.ts'
import { BatchWriter } from './batch-writer.ts'
import type { Trace, TracePage, TraceSpan } from './contract.ts'
import type { NewSpan } from './requests.ts'
import { inChunks } from './row-chunks.ts'
import { readPage, type Stepwise } from './stepped-read.ts'
import type { LogTables, SpanRow, TraceRow } from './tables.ts'
import { formatTimestamp } from './timestamps.ts'
import { summarise } from './trace-summary.ts'

/** Which traces: all that is given must hold. */
export interface TraceFilter {
  /** A service that took part. */
  readonly service?: string | undefined
  /** Milliseconds from the first start to the last end, at least. */
  readonly min_duration?: number | undefined
  /** `error` when any of its spans is one. */
  readonly status?: 'ok' | 'error' | undefined
}

/** Where a page ended: start and id of its last trace. */
interface TraceCursor {
  readonly started_at: number
  readonly trace_id: string
}

/** Spans of one trace that are given out; a trace with more is a runaway loop, and shows as one. */
const MAX_SPANS = 10_000
/** Traces looked at between two turns of the event loop. */
const STEP_TRACES = 2_000
const NEWEST: TraceCursor = { started_at: Number.MAX_SAFE_INTEGER, trace_id: '' }

/** The stored spans, by trace. They come in any order, from any service, and may come twice. */
export class Spans {
  readonly #store: Store<LogTables>
  readonly #clock: Clock
  readonly #writer: BatchWriter<NewSpan>

  constructor(store: Store<LogTables>, clock: Clock) {
    this.#store = store
    this.#clock = clock
    this.#writer = new BatchWriter({ write: (spans) => store.transaction((trx) => insert(trx, spans)) })
  }

  /** Stores spans, all or none. Rejects with DriverError, or AppError `UNAVAILABLE` when more comes in than can be stored. */
  add(spans: readonly NewSpan[]): Promise<void> {
    return this.#writer.add(spans)
  }

  /** A whole trace, its spans by start; undefined when none of it is stored. Rejects with DriverError. */
  async trace(traceId: string): Promise<Trace | undefined> {
    const rows = await this.#store.db
      .selectFrom('spans')
      .selectAll()
      .where('trace_id', '=', traceId)
      .orderBy('started_at')
      .limit(MAX_SPANS)
      .execute()
    return rows.length === 0 ? undefined : { trace_id: traceId, spans: rows.map(toSpan) }
  }

  /** Lists traces, the one that began last first. Rejects with DriverError. */
  async find(filter: TraceFilter, limit: number, after?: string): Promise<TracePage> {
    const { db } = this.#store
    const start = after === undefined ? NEWEST : parseCursor(after)
    const { rows, next } = await readPage(new TraceList(db, filter), start, limit, this.#clock)
    const traces = await summarise(db, rows)
    return { traces, next: next === undefined ? null : `${next.started_at}-${next.trace_id}` }
  }
}

/** The traces that fit a filter, as a list to be read in steps. */
class TraceList implements Stepwise<TraceRow, TraceCursor> {
  readonly #db: Kysely<LogTables>
  readonly #filter: TraceFilter

  constructor(db: Kysely<LogTables>, filter: TraceFilter) {
    this.#db = db
    this.#filter = filter
  }

  async stepEnd(from: TraceCursor): Promise<TraceCursor | undefined> {
    return this.#behind(from)
      .select(['started_at', 'trace_id'])
      .limit(1)
      .offset(STEP_TRACES - 1)
      .executeTakeFirst()
  }

  async read(from: TraceCursor, to: TraceCursor | undefined, limit: number): Promise<readonly TraceRow[]> {
    const { service, min_duration: minDuration, status } = this.#filter
    let traces = this.#behind(from).selectAll().limit(limit)
    if (to) traces = traces.where(sql<boolean>`(started_at, trace_id) >= (${to.started_at}, ${to.trace_id})`)
    if (status !== undefined) traces = traces.where('failed', '=', status === 'error' ? 1 : 0)
    if (minDuration !== undefined) traces = traces.where(sql<number>`ended_at - started_at`, '>=', minDuration)
    if (service !== undefined) {
      traces = traces.where(({ exists, selectFrom, lit }) =>
        exists(
          selectFrom('spans')
            .select(lit(1).as('found'))
            .whereRef('spans.trace_id', '=', 'traces.trace_id')
            .where('service', '=', service),
        ),
      )
    }
    return traces.execute()
  }

  after({ started_at, trace_id }: TraceRow): TraceCursor {
    return { started_at, trace_id }
  }

  #behind({ started_at, trace_id }: TraceCursor) {
    return this.#db
      .selectFrom('traces')
      .where(sql<boolean>`(started_at, trace_id) < (${started_at}, ${trace_id})`)
      .orderBy('started_at', 'desc')
      .orderBy('trace_id', 'desc')
  }
}

async function insert(trx: Transaction<LogTables>, spans: readonly NewSpan[]): Promise<void> {
  const rows = spans.map(toRow)
  for (const chunk of inChunks(rows)) {
    // the same span again comes from a sender that didn't hear that it had arrived
    await trx
      .insertInto('spans')
      .values(chunk)
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }
  for (const chunk of inChunks(tracesOf(rows))) {
    await trx
      .insertInto('traces')
      .values(chunk)
      .onConflict((conflict) =>
        conflict.column('trace_id').doUpdateSet({
          started_at: sql`case when excluded.started_at < traces.started_at then excluded.started_at else traces.started_at end`,
          ended_at: sql`case when excluded.ended_at > traces.ended_at then excluded.ended_at else traces.ended_at end`,
          failed: sql`case when excluded.failed > traces.failed then excluded.failed else traces.failed end`,
        }),
      )
      .execute()
  }
}

/** What the spans of one batch say about their traces. */
function tracesOf(rows: readonly SpanRow[]): readonly TraceRow[] {
  const traces = new Map<string, TraceRow>()
  for (const { trace_id, started_at, duration_ms, failed } of rows) {
    const known = traces.get(trace_id)
    const ended_at = started_at + duration_ms
    if (known === undefined) traces.set(trace_id, { trace_id, started_at, ended_at, failed })
    else {
      traces.set(trace_id, {
        trace_id,
        started_at: Math.min(known.started_at, started_at),
        ended_at: Math.max(known.ended_at, ended_at),
        failed: Math.max(known.failed, failed),
      })
    }
  }
  return [...traces.values()]
}

function toRow(span: NewSpan): SpanRow {
  return {
    trace_id: span.trace_id,
    span_id: span.span_id,
    parent_span_id: span.parent_span_id || null,
    service: span.service,
    operation: span.operation,
    kind: span.kind,
    started_at: span.start,
    duration_ms: span.duration_ms,
    failed: span.status === 'error' ? 1 : 0,
    tags: span.tags,
  }
}

function toSpan(row: SpanRow): TraceSpan {
  return {
    span_id: row.span_id,
    parent_span_id: row.parent_span_id,
    service: row.service,
    operation: row.operation,
    kind: row.kind,
    start: formatTimestamp(row.started_at),
    duration_ms: row.duration_ms,
    status: row.failed ? 'error' : 'ok',
    tags: JSON.parse(row.tags),
  }
}

function parseCursor(text: string): TraceCursor {
  const at = text.indexOf('-')
  return { started_at: Number(text.slice(0, at)), trace_id: text.slice(at + 1) }
}
