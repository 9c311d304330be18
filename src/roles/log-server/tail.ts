import { wordsOf } from '../../drivers/store/full-text-words.ts'
import { Broadcast } from '../../kit/http/broadcast.ts'
import type { EventStream } from '../../kit/http/event-stream.ts'
import { LEVELS } from '../../kit/telemetry/log.ts'
import { type Entries, entryJson } from './entries.ts'
import type { EntryFilter } from './entry-list.ts'
import { parseSearch, searchMatcher } from './search-query.ts'
import type { EntryRow } from './tables.ts'

/** Entries a reader who comes back is given of what came while it was away. */
const MAX_REPLAYED = 1_000
/** What a row takes in memory besides its texts and their words, bytes. */
const ROW_BYTES = 300

/** An entry on its way to those who follow. */
class StoredEntry {
  readonly row: EntryRow
  #words: string | undefined

  constructor(row: EntryRow) {
    this.row = row
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
  /** The last id it has seen. */
  readonly after: number
}

/** Passes entries on to those who follow the log, as they are stored. */
export class Tail {
  readonly #stored = new Broadcast<StoredEntry>({ eventOf: ({ row }) => eventOf(row), sizeOf })

  /** Readers there are now. */
  get readers(): number {
    return this.#stored.readers
  }

  /** Tells every reader of entries that are on disk now. */
  publish(rows: readonly EntryRow[]): void {
    this.#stored.tell(rows.map((row) => new StoredEntry(row)))
  }

  /**
   * Writes the entries that fit to a stream until it is over.
   * @param back for a reader who comes back: what came since is given first, the newest thousand at most. Rejects with AppError `UNAVAILABLE` when
   * this reader's caller, or all together, search for too much already
   */
  async follow(events: EventStream, filter: EntryFilter, back?: Return): Promise<void> {
    const fits = entryMatcher(filter)
    const begin = this.#stored.end
    if (back === undefined) return this.#stored.follow(events, fits, begin)
    const { entries, caller, after } = back
    const searcher = { name: caller, signal: events.signal }
    const replayed = await entries.since(filter, after, MAX_REPLAYED, searcher)
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
