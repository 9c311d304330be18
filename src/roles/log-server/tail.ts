import { randomBytes } from 'node:crypto'
import { wordsOf } from '../../drivers/store/full-text-words.ts'
import { Broadcast } from '../../kit/http/broadcast.ts'
import type { EventStream } from '../../kit/http/event-stream.ts'
import { LEVELS } from '../../kit/telemetry/log.ts'
import { type Entries, entryJson } from './entries.ts'
import type { EntryFilter, EntryRow } from './entry-storage.ts'
import type { TailPlace } from './requests.ts'
import { parseSearch, searchMatcher } from './search-query.ts'

/** Entries a reader who comes back is given of what came while it was away. */
const MAX_REPLAYED = 1_000
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
    this.#words ??= wordsOf(`${this.row.message} ${this.row.metadata ?? ''}`)
    return this.#words
  }
}

/** A reader who was away. */
export interface Return {
  /** What is stored. */
  readonly entries: Pick<Entries, 'since'>
  /** Whose share of the searches it takes. */
  readonly caller: string
  /** Behind which it goes on. */
  readonly after: TailPlace
}

/**
 * Passes entries on to those who follow the log, as they are stored. The id of an event says which arrival it was, besides the entry's own id: that goes by
 * the entry's time, and what its sender had kept back for a while would be missed by a reader who comes back.
 */
export class Tail {
  readonly #run: string
  readonly #stored: Broadcast<StoredEntry>

  /** @param run eight hexadecimal digits that no other run has: arrivals are counted anew in each */
  constructor(run: string = randomBytes(4).toString('hex')) {
    this.#run = run
    this.#stored = new Broadcast({
      eventOf: ({ row, arrival }) => ({ ...eventOf(row), id: `${row.id}-${run}-${arrival.toString(36)}` }),
      sizeOf,
    })
  }

  /** Readers there are now. */
  get readers(): number {
    return this.#stored.readers
  }

  /** Tells every reader of entries that are on disk now. */
  publish(rows: readonly EntryRow[]): void {
    const { end } = this.#stored
    this.#stored.tell(rows.map((row, at) => new StoredEntry(row, end + at)))
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
    const { entries, caller, after } = back
    if (after.run === this.#run && this.#stored.keeps(after.arrival + 1)) {
      return this.#stored.follow(events, fits, after.arrival + 1)
    }
    const searcher = { name: caller, signal: events.signal }
    const replayed = await entries.since(filter, after.id, MAX_REPLAYED, searcher)
    for (const row of replayed) {
      if (!(await events.room())) return
      events.send(eventOf(row))
    }
    // what was stored during the replay may be part of it
    const known = new Set(replayed.map((row) => row.id))
    await this.#stored.follow(events, (entry) => !known.has(entry.row.id) && fits(entry), begin)
  }
}

function eventOf(row: EntryRow) {
  return { id: String(row.id), data: entryJson(row) }
}

function sizeOf({ row: { message, metadata } }: StoredEntry): number {
  return ROW_BYTES + 2 * (message.length + (metadata?.length ?? 0))
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
