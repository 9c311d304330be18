import type { EventStream } from '../../kit/http/event-stream.ts'
import { LEVELS } from '../../kit/telemetry/log.ts'
import { type Entries, entryJson } from './entries.ts'
import type { EntryFilter } from './entry-list.ts'
import { matchesSearch, parseSearch } from './search-query.ts'
import type { EntryRow } from './tables.ts'

type Reader = (rows: readonly EntryRow[]) => void

/** Entries a reader who comes back is given of what came while it was away. */
const MAX_REPLAYED = 1_000

/** Passes entries on to those who follow the log, as they are stored. */
export class Tail {
  readonly #readers = new Set<Reader>()

  /** Readers there are now. */
  get readers(): number {
    return this.#readers.size
  }

  /** Tells every reader of entries that are on disk now. */
  publish(rows: readonly EntryRow[]): void {
    for (const reader of this.#readers) reader(rows)
  }

  /**
   * Writes the entries that fit to a stream until it is over.
   * @param after the last id the reader has seen: what came since is given first, the newest thousand at most
   */
  async follow(events: EventStream, filter: EntryFilter, entries: Entries, after?: number): Promise<void> {
    const fits = entryMatcher(filter)
    const send = (row: EntryRow) => events.send({ id: String(row.id), data: entryJson(row) })
    // what is stored during the replay waits for its end
    let missed: EntryRow[] | undefined = []
    const reader: Reader = (rows) => {
      const fitting = rows.filter(fits)
      if (missed) missed.push(...fitting)
      else for (const row of fitting) send(row)
    }
    this.#readers.add(reader)
    void events.over.then(() => this.#readers.delete(reader))
    const replayed = after === undefined ? [] : await entries.since(filter, after, MAX_REPLAYED)
    for (const row of replayed) send(row)
    const known = new Set(replayed.map((row) => row.id))
    for (const row of missed) if (!known.has(row.id)) send(row)
    missed = undefined
    await events.over
  }
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
