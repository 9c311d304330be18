import { type Kysely, type RawBuilder, sql } from 'kysely'
import { phraseTest, wordsOf } from '../../drivers/store/full-text-words.ts'
import { LEVELS } from '../../kit/telemetry/log.ts'
import { dayOf, firstIdOf } from './entry-ids.ts'
import type { EntryFilter } from './entry-storage.ts'
import { type Found, withinBytes } from './found.ts'
import { readRows } from './postgres-rows.ts'
import { vectorQuery } from './postgres-words.ts'
import type { SearchQuery } from './search-query.ts'
import { searchableText } from './searchable-text.ts'
import type { Page, Stepwise } from './stepped-read.ts'
import { storable } from './storable-text.ts'
import type { LogTables } from './tables.ts'

/** Bytes of texts that one step looks into. */
const STEP_BYTES = 1_048_576
/** Entries that a search walks through, newest first, before it asks the index: what is common is found sooner so. */
const WALKED = 2_000
/** Entries of a day that the index may find; where it finds more, walking is quicker. */
const MOST_FOUND = 5_000

const NOTHING: Page<Found, number> = { rows: [], next: undefined }

/** An entry that seems to fit, and whether its text has to say so. */
type Candidate = readonly [id: number, bytes: number, unsure: boolean]

/** Entries looked at: how many, the last id of them, and the candidates as JSON. */
interface Looked {
  readonly looked: number
  readonly lowest: number | null
  readonly found: string
}

/**
 * The entries that fit a filter, newest first, as a list to be read in steps, day by day. A cursor is an id: what comes next has a lower one.
 *
 * GIN has no order: it gives all of a day's entries with the words searched for, however many, and those have to be sorted. So a search walks along the ids first, which
 * soon finds what is common, then asks the index of each day, which soon finds what is rare, and walks on through days of which the index has too much.
 */
export class PostgresEntryList implements Stepwise<Found, number> {
  readonly #db: Kysely<LogTables>
  /** As JSON, for texts that have to be looked at. */
  readonly #phrases: string
  readonly #isEmpty: boolean
  readonly #ofTrace: RawBuilder<unknown>
  readonly #hasWords: RawBuilder<unknown>
  readonly #fits: RawBuilder<unknown>
  readonly #unsure: RawBuilder<unknown>
  readonly #lowest: number
  #walked = 0
  /** The first id of the day that the index was asked about, and what it has of it; undefined when that is too much. */
  #asked: { readonly day: number; readonly found: readonly Candidate[] | undefined } | undefined

  /**
   * @param phrases what is searched for; undefined when nothing is
   * @param lowest the last id that is looked at
   */
  constructor(db: Kysely<LogTables>, filter: EntryFilter, phrases: SearchQuery | undefined, lowest: number) {
    this.#db = db
    this.#lowest = lowest
    this.#phrases = JSON.stringify(phrases ?? [])
    const query = phrases && vectorQuery(phrases)
    this.#isEmpty = query?.words === ''
    const { service, level, trace_id: trace } = filter
    this.#ofTrace = trace === undefined ? sql`true` : sql`trace_id = ${storable(trace)}`
    this.#hasWords = query ? sql`words @@ ${query.words}::tsquery` : sql`true`
    const fits = [query?.phrases === undefined ? sql`true` : sql`words @@ ${query.phrases}::tsquery`]
    if (service !== undefined) fits.push(sql`service = ${storable(service)}`)
    if (level !== undefined) fits.push(sql`level >= ${LEVELS.indexOf(level)}`)
    this.#fits = sql.join(fits, sql` and `)
    this.#unsure = query?.unsure === undefined ? sql`false` : sql`words @@ ${query.unsure}::tsquery`
    // a trace has few entries
    if (trace !== undefined || !query) this.#walked = Number.NEGATIVE_INFINITY
  }

  async step(from: number, size: number, limit: number): Promise<Page<Found, number>> {
    if (from <= this.#lowest || this.#isEmpty) return NOTHING
    const day = Math.max(this.#lowest, firstIdOf(dayOf(from - 1)))
    if (this.#walked >= WALKED && this.#asked?.day !== day) {
      this.#asked = { day, found: await this.#askIndex(from, day) }
    }
    const found = this.#asked?.day === day ? this.#asked.found : undefined
    const page = found
      ? { rows: found.filter(([id]) => id < from), next: undefined }
      : await this.#walk(from, day, size)
    const some = page.rows.slice(0, withinBytes(page.rows.map(textsToRead), STEP_BYTES))
    const rows = await this.#confirmed(some)
    const next = some.length < page.rows.length ? some.at(-1)?.[0] : page.next
    return { rows: rows.slice(0, limit), next: next ?? (await this.#before(day)) }
  }

  after([id]: Found): number {
    return id
  }

  /** Walks along the ids below one; `next` is undefined at the end of the day. */
  async #walk(from: number, day: number, size: number): Promise<Page<Candidate, number>> {
    const fits = sql`${this.#hasWords} and ${this.#fits}`
    const { looked, lowest, found } = await this.#look(
      sql`${this.#ofTrace} and id < ${from} and id >= ${day} order by id desc limit ${size}`,
      fits,
    )
    this.#walked += looked
    return { rows: JSON.parse(found), next: looked < size || lowest === null ? undefined : lowest }
  }

  /** All that fits of a day's entries below an id, or undefined where too many have the words. */
  async #askIndex(from: number, day: number): Promise<readonly Candidate[] | undefined> {
    const { looked, found } = await this.#look(
      sql`${this.#hasWords} and id < ${from} and id >= ${day} limit ${MOST_FOUND + 1}`,
      this.#fits,
    )
    return looked > MOST_FOUND ? undefined : JSON.parse(found)
  }

  async #look(which: RawBuilder<unknown>, fits: RawBuilder<unknown>): Promise<Looked> {
    // In brackets, so that the statement isn't kept prepared: a plan for any words is a hundred times as slow as one for these.
    const { rows } = await sql<Looked>`(
      select count(*) as looked, min(id) as lowest,
        coalesce(json_agg(json_build_array(id, bytes, unsure) order by id desc) filter (where fits), '[]')::text as found
      from (select id, octet_length(message) + coalesce(octet_length(metadata), 0) + coalesce(octet_length(details), 0) as bytes, (${fits}) as fits,
          ${this.#unsure} as unsure
        from log_entries where ${which}) as hits
    )`.execute(this.#db)
    return rows[0] ?? { looked: 0, lowest: null, found: '[]' }
  }

  /** Behind the next entry of an earlier day; undefined when there is none. */
  async #before(day: number): Promise<number | undefined> {
    const { rows } = await sql<{ id: number }>`(
      select id from log_entries where ${this.#ofTrace} and id < ${day} and id >= ${this.#lowest} order by id desc limit 1
    )`.execute(this.#db)
    return rows[0] && rows[0].id + 1
  }

  /** The candidates that fit: of those that are unsure, what their texts say. */
  async #confirmed(candidates: readonly Candidate[]): Promise<readonly Found[]> {
    const unsure = candidates.filter(([, , unsure]) => unsure).map(([id]) => id)
    const unfit = new Set(unsure)
    const test = phraseTest(wordsOf)
    for (const { id, message, metadata } of await readRows(this.#db, unsure)) {
      if (test(searchableText(message, metadata), this.#phrases)) unfit.delete(id)
    }
    return candidates.filter(([id]) => !unfit.has(id)).map(([id, bytes]) => [id, bytes])
  }
}

/** What has to be read of a candidate. */
function textsToRead([id, bytes, unsure]: Candidate): Found {
  return [id, unsure ? bytes : 0]
}
