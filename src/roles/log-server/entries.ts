import { type Kysely, sql } from 'kysely'
import type { Clock } from '../../drivers/clock.ts'
import { DriverError } from '../../drivers/driver-error.ts'
import type { Store } from '../../drivers/store/contract.ts'
import { LEVELS } from '../../kit/telemetry/log.ts'
import { BatchWriter } from './batch-writer.ts'
import type { Entry, EntryPage } from './contract.ts'
import { EntryIds, filingTime, firstIdAt } from './entry-ids.ts'
import type { NewEntry } from './requests.ts'
import { inChunks } from './row-chunks.ts'
import { parseSearch, toMatchExpression } from './search-query.ts'
import { type Page, readPage, type Stepwise } from './stepped-read.ts'
import type { EntryRow, LogTables } from './tables.ts'
import { formatTimestamp } from './timestamps.ts'

/** Which entries: all that is given must hold. */
export interface EntryFilter {
  readonly service?: string | undefined
  /** At least this one. */
  readonly level?: Entry['level'] | undefined
  readonly trace_id?: string | undefined
  /** What someone typed into a search box. */
  readonly q?: string | undefined
}

/** From when to when, and how many. */
export interface EntryRange {
  /** Milliseconds since 1970, both inclusive. */
  readonly since?: number | undefined
  readonly until?: number | undefined
  /** Most entries. */
  readonly limit: number
  /** A page's `next`. */
  readonly after?: number | undefined
}

/** Entries and hits looked at between two turns of the event loop: a few milliseconds' worth. */
const STEP_ENTRIES = 5_000
const STEP_HITS = 4_000
/** How often entries may meet ids that are taken; the last time they step aside by up to a minute. */
const MAX_ATTEMPTS = 9

/** The stored log entries. */
export class Entries {
  readonly #store: Store<LogTables>
  readonly #clock: Clock
  readonly #ids = new EntryIds()
  readonly #writer: BatchWriter<NewEntry>
  readonly #onStored: (rows: readonly EntryRow[]) => void

  /** @param onStored hears of entries once they are on disk, oldest first; must not throw */
  constructor(store: Store<LogTables>, clock: Clock, onStored: (rows: readonly EntryRow[]) => void = () => {}) {
    this.#store = store
    this.#clock = clock
    this.#onStored = onStored
    this.#writer = new BatchWriter({ write: (entries) => this.#write(entries) })
  }

  /** Stores entries, all or none. Rejects with DriverError, or AppError `UNAVAILABLE` when more comes in than can be stored. */
  add(entries: readonly NewEntry[]): Promise<void> {
    return this.#writer.add(entries)
  }

  /** Finds entries, newest first. Rejects with DriverError. */
  async find(filter: EntryFilter, range: EntryRange): Promise<EntryPage> {
    const { since, until, limit, after = Number.MAX_SAFE_INTEGER } = range
    const before = until === undefined ? after : Math.min(after, firstIdAt(Math.floor(until) + 1))
    const lowest = since === undefined ? 0 : firstIdAt(Math.ceil(since))
    const { rows, next } = await this.#search(filter, before, lowest, limit)
    return { entries: rows.map(toEntry), next: next === undefined ? null : String(next) }
  }

  /** The newest entries that fit of those after the one with this id, oldest first: what a reader who was away has missed. */
  async since(filter: EntryFilter, id: number, limit: number): Promise<readonly EntryRow[]> {
    const { rows } = await this.#search(filter, Number.MAX_SAFE_INTEGER, id + 1, limit)
    return rows.toReversed()
  }

  /** A page of the entries that fit with ids from `lowest` up to below `before`. */
  async #search(filter: EntryFilter, before: number, lowest: number, limit: number): Promise<Page<EntryRow, number>> {
    const expression = filter.q ? toMatchExpression(parseSearch(filter.q)) : undefined
    if (filter.q && expression === undefined) return { rows: [], next: undefined }
    return readPage(new EntryList(this.#store.db, filter, expression, lowest), before, limit, this.#clock)
  }

  async #write(entries: readonly NewEntry[]): Promise<void> {
    const now = this.#clock.now()
    const filed = entries
      .map((entry) => ({ entry, time: filingTime(entry.timestamp ?? now, now) }))
      .sort((a, b) => a.time - b.time)
    const times = filed.map(({ time }) => time)
    for (let attempt = 0; ; attempt++) {
      const ids = this.#ids.next(times, attempt)
      const rows = filed.map(({ entry }, i) => toRow(entry, ids[i] ?? 0, now))
      try {
        await this.#insert(rows)
        this.#onStored(rows)
        return
      } catch (error) {
        const taken = error instanceof DriverError && error.kind === 'conflict'
        if (!taken || attempt === MAX_ATTEMPTS) throw error
      }
    }
  }

  #insert(rows: readonly EntryRow[]): Promise<void> {
    return this.#store.transaction(async (trx) => {
      for (const chunk of inChunks(rows)) await trx.insertInto('log_entries').values(chunk).execute()
    })
  }
}

/** The entries that fit a filter, as a list to be read in steps. A cursor is an id: what comes next has a lower one. */
class EntryList implements Stepwise<EntryRow, number> {
  readonly #db: Kysely<LogTables>
  readonly #filter: EntryFilter
  readonly #expression: string | undefined
  readonly #lowest: number

  constructor(db: Kysely<LogTables>, filter: EntryFilter, expression: string | undefined, lowest: number) {
    this.#db = db
    this.#filter = filter
    this.#expression = expression
    this.#lowest = lowest
  }

  async stepEnd(from: number): Promise<number | undefined> {
    const { service, level, trace_id: trace } = this.#filter
    // without a filter every row is a hit, and a trace's are found by its index
    if (trace !== undefined || (service === undefined && level === undefined)) return undefined
    const { source, id, range } = this.#candidates(from, this.#lowest)
    const step = this.#expression === undefined ? STEP_ENTRIES : STEP_HITS
    const { rows } = await sql<{ id: number }>`
      select ${id} as id from ${source} where ${range} order by ${id} desc limit 1 offset ${step - 1}`.execute(this.#db)
    return rows[0]?.id
  }

  async read(from: number, to: number | undefined, limit: number): Promise<readonly EntryRow[]> {
    const { source, id, range } = this.#candidates(from, to ?? this.#lowest)
    // CROSS JOIN keeps SQLite from turning the join around: the hits come first, in order, as many as are wanted
    const entries =
      this.#expression === undefined ? source : sql`${source} cross join log_entries on log_entries.id = ${id}`
    const { rows } = await sql<EntryRow>`
      select log_entries.* from ${entries} where ${range} and ${this.#wanted()} order by ${id} desc limit ${limit}`.execute(
      this.#db,
    )
    return rows
  }

  /** The rows between two ids, before the filter: hits of the search, or all entries. */
  #candidates(from: number, lowest: number) {
    const expression = this.#expression
    const source = sql.table(expression === undefined ? 'log_entries' : 'log_search')
    const id = sql.ref(expression === undefined ? 'log_entries.id' : 'log_search.rowid')
    const range = sql`${id} < ${from} and ${id} >= ${lowest}`
    return { source, id, range: expression === undefined ? range : sql`log_search match ${expression} and ${range}` }
  }

  #wanted() {
    const { service, level, trace_id: trace } = this.#filter
    const conditions = [sql`true`]
    if (service !== undefined) conditions.push(sql`service = ${service}`)
    if (level !== undefined) conditions.push(sql`level >= ${LEVELS.indexOf(level)}`)
    if (trace !== undefined) conditions.push(sql`trace_id = ${trace}`)
    return sql.join(conditions, sql` and `)
  }

  after(row: EntryRow): number {
    return row.id
  }
}

/** An entry as it is answered. */
export function toEntry(row: EntryRow): Entry {
  return {
    id: String(row.id),
    timestamp: formatTimestamp(row.at),
    level: LEVELS[row.level] ?? 'INFO',
    service: row.service,
    instance: row.instance,
    message: row.message,
    ...(row.trace_id !== null && { trace_id: row.trace_id }),
    ...(row.span_id !== null && { span_id: row.span_id }),
    ...(row.metadata !== null && { metadata: JSON.parse(row.metadata) }),
  }
}

function toRow(entry: NewEntry, id: number, now: number): EntryRow {
  return {
    id,
    at: Math.floor(entry.timestamp ?? now),
    level: LEVELS.indexOf(entry.level),
    service: entry.service,
    instance: entry.instance,
    message: entry.message,
    trace_id: entry.trace_id || null,
    span_id: entry.span_id || null,
    metadata: entry.metadata ?? null,
  }
}
