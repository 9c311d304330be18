import { wordsOf } from '../../drivers/store/full-text-words.ts'
import { Broadcast } from '../../kit/http/broadcast.ts'
import type { EventStream } from '../../kit/http/event-stream.ts'
import { LEVELS } from '../../kit/telemetry/log.ts'
import { type ArrivalListener, type Arrivals, OwnArrivals } from './arrivals.ts'
import { type Entries, entryJson } from './entries.ts'
import type { EntryRow } from './entry-row.ts'
import type { EntryFilter } from './entry-storage.ts'
import type { TailPlace } from './requests.ts'
import { parseSearch, searchMatcher } from './search-query.ts'
import { searchableText } from './searchable-text.ts'

/** Entries a reader who comes back is given of what came while it was away. */
const MAX_REPLAYED = 1_000
/** Arrivals that a reader who was away may have missed and still goes through one by one. */
const MAX_MISSED = 50_000
/** What a row takes in memory besides its texts and their words, bytes. */
const ROW_BYTES = 300

/** An entry on its way to those who follow. */
class StoredEntry {
  readonly row: EntryRow
  /** Its position among all that came. */
  readonly arrival: number
  #words: string | undefined

  constructor(row: EntryRow, arrival: number) {
    this.row = row
    this.arrival = arrival
  }

  /** Its words, looked for once for all who search. */
  get words(): string {
    this.#words ??= wordsOf(searchableText(this.row.message, this.row.metadata))
    return this.#words
  }
}

/** A reader who was away. */
export interface Return {
  /** What is stored. */
  readonly entries: Pick<Entries, 'since' | 'arrivedAt'>
  /** Whose share of the searches it takes. */
  readonly caller: string
  /** Behind which it goes on. */
  readonly after: TailPlace
}

/**
 * Passes entries on to those who follow the log, as they are stored. The id of an event says which arrival it was, besides the entry's own id: that goes by
 * the entry's time, and what its sender had kept back for a while would be missed by a reader who comes back.
 */
export class Tail implements ArrivalListener {
  readonly #arrivals: Arrivals
  readonly #stored: Broadcast<StoredEntry>
  /** The arrival whose news has position 0, and the one from which on that holds. */
  #base = 0
  #unbroken = 0

  constructor(arrivals: Arrivals = new OwnArrivals()) {
    this.#arrivals = arrivals
    this.#stored = new Broadcast({ eventOf: (entry) => this.#eventOf(entry), sizeOf })
    arrivals.tell(this)
  }

  get readers(): number {
    return this.#stored.readers
  }

  get end(): number {
    return this.#base + this.#stored.end
  }

  skipTo(position: number): void {
    this.#base = position - this.#stored.end
    this.#unbroken = position
  }

  publish(rows: readonly EntryRow[]): void {
    const { end } = this
    this.#stored.tell(rows.map((row, at) => new StoredEntry(row, end + at)))
  }

  /** Begins to hear of what comes, for a reader who follows from here on. Rejects with DriverError. */
  open(): Promise<void> {
    return this.#arrivals.open()
  }

  /**
   * Writes the entries that fit to a stream until it is over.
   * @param back for a reader who comes back: what came since is given first, all of it while it is kept in memory, else the newest thousand at most
   * by their own time. Rejects with AppError `UNAVAILABLE` when this reader's caller, or all together, search for too much already
   */
  async follow(events: EventStream, filter: EntryFilter, back?: Return): Promise<void> {
    const fits = entryMatcher(filter)
    const begin = this.#stored.end
    if (back === undefined) return this.#stored.follow(events, fits, begin)
    const next = back.after.run === this.#arrivals.run ? back.after.arrival + 1 : Number.NaN
    if (next >= this.#unbroken && this.#stored.keeps(next - this.#base)) {
      return this.#stored.follow(events, fits, next - this.#base)
    }
    if (this.end - next <= MAX_MISSED && (await this.#catchUp(events, fits, back, next))) {
      return this.#stored.follow(events, fits, begin)
    }
    const known = await this.#replay(events, filter, back)
    // what was stored during the replay may be part of it
    await this.#stored.follow(events, (entry) => !known.has(entry.row.id) && fits(entry), begin)
  }

  /** Sends what came from a position on until now. Returns false, having sent nothing, when that is not known any more. */
  async #catchUp(
    events: EventStream,
    fits: (entry: StoredEntry) => boolean,
    { entries, caller }: Return,
    from: number,
  ): Promise<boolean> {
    const { end } = this
    for (let position = from; position < end; ) {
      const rows = await entries.arrivedAt(position, { name: caller, signal: events.signal })
      if (rows === undefined && position === from) return false
      // forgotten while it was being read: its reader has to come back
      if (rows === undefined) events.cut()
      for (const row of rows?.slice(0, end - position) ?? []) {
        const entry = new StoredEntry(row, position++)
        if (!fits(entry)) continue
        if (!(await events.room())) return true
        events.send(this.#eventOf(entry))
      }
      if (events.signal.aborted) return true
    }
    return true
  }

  /** Sends the newest of what was stored after an entry by its own time. Returns their ids. */
  async #replay(events: EventStream, filter: EntryFilter, { entries, caller, after }: Return): Promise<Set<number>> {
    const searcher = { name: caller, signal: events.signal }
    const replayed = await entries.since(filter, after.id, MAX_REPLAYED, searcher)
    for (const row of replayed) {
      if (!(await events.room())) break
      events.send(eventOf(row))
    }
    return new Set(replayed.map((row) => row.id))
  }

  #eventOf({ row, arrival }: StoredEntry) {
    return { ...eventOf(row), id: `${row.id}-${this.#arrivals.run}-${arrival.toString(36)}` }
  }
}

function eventOf(row: EntryRow) {
  return { id: String(row.id), data: entryJson(row) }
}

function sizeOf({ row: { message, metadata, details } }: StoredEntry): number {
  return ROW_BYTES + 2 * (message.length + (metadata?.length ?? 0) + (details?.length ?? 0))
}

/** Whether an entry fits: the same as `Entries.find`, for an entry at hand. */
function entryMatcher({ service, level, trace_id: trace, q }: EntryFilter): (entry: StoredEntry) => boolean {
  const lowest = level === undefined ? 0 : LEVELS.indexOf(level)
  const matches = q ? searchMatcher(parseSearch(q)) : undefined
  return (entry) =>
    entry.row.level >= lowest &&
    (service === undefined || entry.row.service === service) &&
    (trace === undefined || entry.row.trace_id === trace) &&
    (matches === undefined || matches(entry.words))
}
