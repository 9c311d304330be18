import { Broadcast } from '../../kit/http/broadcast.ts'
import type { EventStream } from '../../kit/http/event-stream.ts'
import { LEVELS } from '../../kit/telemetry/log.ts'
import { type Entries, entryJson } from './entries.ts'
import type { EntryFilter } from './entry-list.ts'
import { matchesSearch, parseSearch } from './search-query.ts'
import type { EntryRow } from './tables.ts'

/** Entries a reader who comes back is given of what came while it was away. */
const MAX_REPLAYED = 1_000
/** What a row takes in memory besides its texts, bytes. */
const ROW_BYTES = 300

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
  readonly #stored = new Broadcast<EntryRow>({ eventOf, sizeOf })

  /** Readers there are now. */
  get readers(): number {
    return this.#stored.readers
  }

  /** Tells every reader of entries that are on disk now. */
  publish(rows: readonly EntryRow[]): void {
    this.#stored.tell(rows)
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
    await this.#stored.follow(events, (row) => !known.has(row.id) && fits(row), begin)
  }
}

function eventOf(row: EntryRow) {
  return { id: String(row.id), data: entryJson(row) }
}

function sizeOf({ message, metadata }: EntryRow): number {
  return ROW_BYTES + message.length + (metadata?.length ?? 0)
}

/** Whether an entry fits: the same as `Entries.find`, for an entry at hand. */
function entryMatcher({ service, level, trace_id: trace, q }: EntryFilter): (row: EntryRow) => boolean {
  const lowest = level === undefined ? 0 : LEVELS.indexOf(level)
  const search = q ? parseSearch(q) : undefined
  return (row) =>
    row.level >= lowest &&
    (service === undefined || row.service === service) &&
    (trace === undefined || row.trace_id === trace) &&
    (search === undefined || matchesSearch(search, `${row.message} ${row.metadata ?? ''}`))
}
