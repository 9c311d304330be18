import { type Kysely, sql, type Transaction } from 'kysely'
import type { Clock } from '../../drivers/clock.ts'
import type { Store } from '../../drivers/store/contract.ts'
import { formatTimestamp } from '../../kit/telemetry/timestamps.ts'
import { BatchWriter } from './batch-writer.ts'
import type { TracePage } from './contract.ts'
import { type Found, withinBytes } from './found.ts'
import { detailsJson } from './origin.ts'
import { inChunks } from './row-chunks.ts'
import { type Searcher, type Searches, tooBusy } from './searches.ts'
import type { Span } from './span.ts'
import { type SqlWords, wordsFor } from './sql-words.ts'
import { type Page, readPage, type Stepwise } from './stepped-read.ts'
import type { LogTables, SpanRow, TraceRow } from './tables.ts'
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

/** Which of them, and how many. */
interface TraceRange {
  readonly limit: number
  /** A page's `next`. */
  readonly after?: string | undefined
}

/** Where a page ended: start and id of its last trace. */
interface TraceCursor {
  readonly started_at: number
  readonly trace_id: string
}

/** Spans of one trace that are given out, and bytes of what they carry; a trace with more is a runaway loop, and shows as one. */
const MAX_SPANS = 10_000
const MAX_CARRIED_BYTES = 4 * 1_048_576
/** Spans written out between two turns of the event loop. */
const SPANS_A_TURN = 500
const NEWEST: TraceCursor = { started_at: Number.MAX_SAFE_INTEGER, trace_id: '' }

/** The stored spans, by trace. They come in any order, from any service, and may come twice. */
export class Spans {
  readonly #store: Store<LogTables>
  readonly #clock: Clock
  readonly #searches: Searches
  readonly #writer: BatchWriter<Span>

  /** @param onStored told of what is on disk now; must not throw or wait. Default: nobody is */
  constructor(store: Store<LogTables>, clock: Clock, searches: Searches, onStored?: (spans: readonly Span[]) => void) {
    this.#store = store
    this.#clock = clock
    this.#searches = searches
    this.#writer = new BatchWriter({
      async write(spans) {
        await store.transaction((trx) => insert(trx, spans), { isolation: 'committed' })
        onStored?.(spans)
      },
    })
  }

  /** Stores spans, all or none. Rejects with DriverError, or AppError `UNAVAILABLE` when more comes in than can be stored. */
  add(spans: readonly Span[]): Promise<void> {
    return this.#writer.add(spans)
  }

  /**
   * The spans of a trace by their start, each as JSON; none when none is stored.
   * @throws DriverError, and AppError `UNAVAILABLE` when too many search
   */
  trace(traceId: string, searcher: Searcher): Promise<readonly string[]> {
    const db = this.#store.longReads
    const { given } = wordsFor(db)
    return this.#searches.run(searcher, async (search) => {
      const found = await search.step(() => findSpans(db, traceId))
      if (found === undefined) throw tooBusy('This search had no turn in its time')
      const shown = found.slice(0, withinBytes(found, MAX_CARRIED_BYTES))
      const spans: string[] = []
      for (let at = 0; at < shown.length; at += SPANS_A_TURN) {
        spans.push(...(await spansOf(db, shown.slice(at, at + SPANS_A_TURN))).map((row) => spanJson(row, given)))
      }
      return spans
    })
  }

  /**
   * Lists traces, the one that began last first.
   * @throws DriverError, and AppError `UNAVAILABLE` when too many search
   */
  find(filter: TraceFilter, { limit, after }: TraceRange, searcher: Searcher): Promise<TracePage> {
    const db = this.#store.longReads
    const start = after === undefined ? NEWEST : parseCursor(after)
    return this.#searches.run(searcher, async (search) => {
      const { rows, next } = await readPage(new TraceList(db, filter), start, limit, { search, clock: this.#clock })
      const traces = await summarise(db, rows)
      return { traces, next: next === undefined ? null : `${next.started_at}-${next.trace_id}` }
    })
  }
}

/** The spans of a trace by their start, with the bytes of what they carry. */
async function findSpans(db: Kysely<LogTables>, traceId: string): Promise<readonly Found[]> {
  const { key, pair, listOf, kept } = wordsFor(db)
  const { rows } = await sql<{ found: string | null }>`
    select ${listOf(pair(key, sql`bytes`), sql`started_at, ${key}`, sql`true`)} as found
    from (select ${key}, started_at, octet_length(tags) + coalesce(octet_length(details), 0) as bytes from spans where trace_id = ${kept(traceId)}
      order by started_at, ${key} limit ${MAX_SPANS}) as found`.execute(db)
  return JSON.parse(rows[0]?.found ?? '[]')
}

async function spansOf(db: Kysely<LogTables>, found: readonly Found[]): Promise<readonly SpanRow[]> {
  const { key, isNumberOf } = wordsFor(db)
  const ids = found.map(([id]) => id)
  const { rows } = await sql<SpanRow>`
    select * from spans where ${key} ${isNumberOf(ids)} order by started_at, ${key}`.execute(db)
  return rows
}

/** The traces that fit a filter, as a list to be read in steps. */
class TraceList implements Stepwise<TraceRow, TraceCursor> {
  readonly #db: Kysely<LogTables>
  readonly #filter: TraceFilter

  constructor(db: Kysely<LogTables>, filter: TraceFilter) {
    this.#db = db
    this.#filter = filter
  }

  async step(from: TraceCursor, size: number, limit: number): Promise<Page<TraceRow, TraceCursor>> {
    const next = await this.#behind(from)
      .select(['started_at', 'trace_id'])
      .limit(1)
      .offset(size - 1)
      .executeTakeFirst()
    const { service, min_duration: minDuration, status } = this.#filter
    let traces = this.#behind(from).selectAll().limit(limit)
    if (next) traces = traces.where(sql<boolean>`(started_at, trace_id) >= (${next.started_at}, ${next.trace_id})`)
    if (status !== undefined) traces = traces.where('failed', '=', status === 'error' ? 1 : 0)
    if (minDuration !== undefined) traces = traces.where(sql<number>`ended_at - started_at`, '>=', minDuration)
    if (service !== undefined) {
      traces = traces.where(({ exists, selectFrom, lit }) =>
        exists(
          selectFrom('spans')
            .select(lit(1).as('found'))
            .whereRef('spans.trace_id', '=', 'traces.trace_id')
            .where('service', '=', wordsFor(this.#db).kept(service)),
        ),
      )
    }
    return { rows: await traces.execute(), next }
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

async function insert(trx: Transaction<LogTables>, spans: readonly Span[]): Promise<void> {
  const { kept } = wordsFor(trx)
  // other log servers store spans of the same traces: in the same order, none waits for another that waits for it
  const rows = spans.map((span) => toRow(span, kept)).sort(byKey)
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

function byKey(a: SpanRow, b: SpanRow): number {
  return compare(a.trace_id, b.trace_id) || compare(a.span_id, b.span_id)
}

function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

function toRow(span: Span, kept: SqlWords['kept']): SpanRow {
  return {
    trace_id: span.trace_id,
    span_id: span.span_id,
    parent_span_id: span.parent_span_id || null,
    service: kept(span.service),
    operation: kept(span.operation),
    kind: span.kind,
    started_at: span.start,
    duration_ms: span.duration_ms,
    failed: span.status === 'error' ? 1 : 0,
    tags: JSON.stringify(span.tags),
    details: detailsJson(span.details, span.origin),
  }
}

/** A span as it is answered, as JSON: its tags go out to the letter, what not every span has beside them. */
function spanJson(row: SpanRow, given: SqlWords['given']): string {
  const { span_id, parent_span_id, kind, started_at, duration_ms, failed, tags, details } = row
  const [service, operation] = [given(row.service), given(row.operation)]
  const start = formatTimestamp(started_at)
  const status = failed ? 'error' : 'ok'
  const json = JSON.stringify({ span_id, parent_span_id, service, operation, kind, start, duration_ms, status })
  return `${json.slice(0, -1)},"tags":${tags}${details === null ? '}' : `,${details.slice(1)}`}`
}

function parseCursor(text: string): TraceCursor {
  const at = text.indexOf('-')
  return { started_at: Number(text.slice(0, at)), trace_id: text.slice(at + 1) }
}
