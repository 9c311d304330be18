import type { Clock } from '../../drivers/clock.ts'
import { DriverError } from '../../drivers/driver-error.ts'
import { LEVELS } from '../../kit/telemetry/log.ts'
import { formatTimestamp } from '../../kit/telemetry/timestamps.ts'
import { BatchWriter } from './batch-writer.ts'
import { EntryIds, filingTime, firstIdAt } from './entry-ids.ts'
import type { EntryRow } from './entry-row.ts'
import type { EntryFilter, EntryStorage } from './entry-storage.ts'
import { withinBytes } from './found.ts'
import type { LogRecord } from './log-record.ts'
import { detailsJson } from './origin.ts'
import { countWords, parseSearch } from './search-query.ts'
import type { Search, Searcher, Searches } from './searches.ts'
import { type Page, readPage } from './stepped-read.ts'

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

/** Bytes of message and metadata in one page. One entry fits, whatever it has. */
const MAX_PAGE_BYTES = 1_048_576
/** What a word of a search is believed to cost, milliseconds. */
const WORD_MS = 2
/** How often entries may meet ids that are taken; the last time they step aside by up to a minute. */
const MAX_ATTEMPTS = 9

/** The stored log entries. */
export class Entries {
  readonly #storage: EntryStorage
  readonly #clock: Clock
  readonly #searches: Searches
  readonly #ids: EntryIds
  readonly #onStored: ((records: readonly LogRecord[]) => void) | undefined
  readonly #writer: BatchWriter<LogRecord>

  /** @param onStored told of what is on disk now, each with its time; must not throw or wait. Default: nobody is */
  constructor(
    storage: EntryStorage,
    clock: Clock,
    searches: Searches,
    onStored?: (records: readonly LogRecord[]) => void,
  ) {
    this.#storage = storage
    this.#clock = clock
    this.#searches = searches
    this.#onStored = onStored
    this.#ids = new EntryIds(Math.random, storage.idSlots)
    this.#writer = new BatchWriter({ write: (entries) => this.#write(entries) })
  }

  /** Stores entries, all or none. Rejects with DriverError, or AppError `UNAVAILABLE` when more comes in than can be stored. */
  add(entries: readonly LogRecord[]): Promise<void> {
    return this.#writer.add(entries)
  }

  /**
   * Finds entries, newest first: at most `limit`, and at most a mebibyte of them.
   * @throws DriverError, and AppError `UNAVAILABLE` when too many search
   */
  async find(filter: EntryFilter, range: EntryRange, searcher: Searcher): Promise<Page<EntryRow, number>> {
    const { since, until, limit, after = Number.MAX_SAFE_INTEGER } = range
    const before = until === undefined ? after : Math.min(after, firstIdAt(Math.floor(until) + 1))
    const lowest = since === undefined ? 0 : firstIdAt(Math.ceil(since))
    return this.#search(filter, before, lowest, limit, searcher)
  }

  /** The newest entries that fit of those after the one with this id, oldest first: what a reader who was away has missed. */
  async since(filter: EntryFilter, id: number, limit: number, searcher: Searcher): Promise<readonly EntryRow[]> {
    const { rows } = await this.#search(filter, Number.MAX_SAFE_INTEGER, id + 1, limit, searcher)
    return rows.toReversed()
  }

  /**
   * What came at a position of the order of arrival and next to it; undefined when that isn't known any more.
   * @throws DriverError, and AppError `UNAVAILABLE` when too many search
   */
  async arrivedAt(position: number, searcher: Searcher): Promise<readonly EntryRow[] | undefined> {
    const { arrivals } = this.#storage
    return this.#searches.run(searcher, ({ step }) => step(() => arrivals.at(position)))
  }

  /** A page of the entries that fit with ids from `lowest` up to below `before`. */
  async #search(
    filter: EntryFilter,
    before: number,
    lowest: number,
    limit: number,
    searcher: Searcher,
  ): Promise<Page<EntryRow, number>> {
    const phrases = filter.q ? parseSearch(filter.q) : undefined
    if (phrases?.length === 0) return { rows: [], next: undefined }
    const storage = this.#storage
    const list = storage.list(filter, phrases, lowest)
    const clock = this.#clock
    const read = async (search: Search) => {
      const { rows: found, next } = await readPage(list, before, limit, { search, clock })
      const kept = withinBytes(found, MAX_PAGE_BYTES)
      const last = found[kept - 1]
      const rows = await storage.rowsOf(found.slice(0, kept))
      return { rows, next: kept < found.length && last ? list.after(last) : next }
    }
    return this.#searches.run(searcher, read, phrases ? countWords(phrases) * WORD_MS : 0)
  }

  async #write(entries: readonly LogRecord[]): Promise<void> {
    const now = this.#clock.now()
    const filed = entries
      .map((entry) => ({ entry, time: filingTime(entry.timestamp ?? now, now) }))
      .sort((a, b) => a.time - b.time)
    const times = filed.map(({ time }) => time)
    for (let attempt = 0; ; attempt++) {
      const ids = this.#ids.next(times, attempt)
      const rows = filed.map(({ entry }, i) => toRow(entry, ids[i] ?? 0, now))
      try {
        await this.#storage.insert(rows)
        this.#onStored?.(entries.map((entry) => ({ ...entry, timestamp: entry.timestamp ?? now })))
        return
      } catch (error) {
        const taken = error instanceof DriverError && error.kind === 'conflict'
        if (!taken || attempt === MAX_ATTEMPTS) throw error
      }
    }
  }
}

/** An entry as it is answered, as JSON: its metadata goes out to the letter, what not every entry has beside it. */
export function entryJson(row: EntryRow): string {
  const { id, at, level, service, instance, message, trace_id, span_id, metadata, details } = row
  const json = JSON.stringify({
    id: String(id),
    timestamp: formatTimestamp(at),
    level: LEVELS[level] ?? 'INFO',
    service,
    instance,
    message,
    ...(trace_id !== null && { trace_id }),
    ...(span_id !== null && { span_id }),
  })
  if (metadata === null && details === null) return json
  const carried = metadata === null ? '' : `,"metadata":${metadata}`
  return `${json.slice(0, -1)}${carried}${details === null ? '}' : `,${details.slice(1)}`}`
}

function toRow(entry: LogRecord, id: number, now: number): EntryRow {
  return {
    id,
    at: Math.floor(entry.timestamp ?? now),
    level: LEVELS.indexOf(entry.level),
    service: entry.service,
    instance: entry.instance ?? '',
    message: entry.message,
    trace_id: entry.trace_id || null,
    span_id: entry.span_id || null,
    metadata: entry.metadata ? JSON.stringify(entry.metadata) : null,
    details: detailsJson(entry.details, entry.origin),
  }
}
