import { type Kysely, type RawBuilder, sql } from 'kysely'
import { LEVELS } from '../../kit/telemetry/log.ts'
import type { EntryFilter } from './entry-storage.ts'
import { type Found, withinBytes } from './found.ts'
import { countWords, type SearchQuery, wordsIn } from './search-query.ts'
import { type SqliteEntryTables, searchable } from './sqlite-entry-tables.ts'
import type { Page, Stepwise } from './stepped-read.ts'

/** Bytes of texts that one step looks into. */
const STEP_BYTES = 1_048_576
/** So many of a word's newest entries tell how common it is. */
const SAMPLE = 256

/**
 * The entries that fit a filter, newest first, as a list to be read in steps. A cursor is an id: what comes next has a lower one.
 *
 * FTS5 can be told where to begin with one word, but not with several: it walks from the newest entry to the first that fits them all, however far that is,
 * and nobody can end it. So the full-text index gives the entries with the scarcest word, and their own text says whether the rest of the search fits.
 */
export class SqliteEntryList implements Stepwise<Found, number> {
  readonly #db: Kysely<SqliteEntryTables>
  readonly #filter: EntryFilter
  readonly #phrases: SearchQuery | undefined
  readonly #wanted: RawBuilder<unknown>
  readonly #lowest: number
  /** Undefined until it is known; null: there are no such entries. */
  #word: string | null | undefined

  /**
   * @param phrases what is searched for; undefined when nothing is
   * @param lowest the last id that is looked at
   */
  constructor(db: Kysely<SqliteEntryTables>, filter: EntryFilter, phrases: SearchQuery | undefined, lowest: number) {
    this.#db = db
    this.#filter = filter
    this.#phrases = phrases
    this.#lowest = lowest
    const { service, level, trace_id: trace } = filter
    const wanted = [sql`true`]
    if (service !== undefined) wanted.push(sql`service = ${service}`)
    if (level !== undefined) wanted.push(sql`level >= ${LEVELS.indexOf(level)}`)
    if (trace !== undefined && phrases) wanted.push(sql`trace_id = ${trace}`)
    this.#wanted = sql.join(wanted, sql` and `)
  }

  async step(from: number, size: number, limit: number): Promise<Page<Found, number>> {
    if (this.#phrases) this.#word ??= await this.#scarcest(wordsIn(this.#phrases), from)
    if (this.#word === null) return { rows: [], next: undefined }
    const id = this.#phrases ? sql`rowid` : sql`id`
    // CROSS JOIN keeps SQLite from turning the join around
    const { rows } = await sql<{ looked: number; lowest: number | null; found: string }>`
      select count(*) as looked, min(hits.id) as lowest,
        json_group_array(json_array(hits.id, octet_length(message) + coalesce(octet_length(metadata), 0) + coalesce(octet_length(details), 0))
          order by hits.id desc) filter (where ${this.#wanted}) as found
      from (select ${id} as id from ${this.#candidates(this.#word)} and ${this.#below(id, from)} order by ${id} desc limit ${size}) as hits
      cross join log_entries on log_entries.id = hits.id`.execute(this.#db)
    const { looked, lowest, found } = rows[0] ?? { looked: 0, lowest: null, found: '[]' }
    const candidates: Found[] = JSON.parse(found)
    const next = looked < size || lowest === null ? undefined : lowest
    if (!this.#phrases || countWords(this.#phrases) === 1) return { rows: candidates.slice(0, limit), next }
    const some = candidates.slice(0, withinBytes(candidates, STEP_BYTES))
    const wanted = await this.#withPhrases(this.#phrases, some)
    return { rows: wanted.slice(0, limit), next: some.length < candidates.length ? some.at(-1)?.[0] : next }
  }

  after([id]: Found): number {
    return id
  }

  #candidates(word: string | undefined) {
    if (word !== undefined) return sql`log_search where log_search match ${`"${word}"`}`
    const { trace_id: trace } = this.#filter
    return trace === undefined ? sql`log_entries where true` : sql`log_entries where trace_id = ${trace}`
  }

  /** FTS5 begins and ends at a rowid only when that is an integer, and node:sqlite binds every number as a float. */
  #below(id: RawBuilder<unknown>, from: number) {
    return sql`${id} < cast(${from} as integer) and ${id} >= cast(${this.#lowest} as integer)`
  }

  /** The word that fewest entries have: how many, where those are few, else how far back the last of a sample lies. Null when there is one that none has. */
  async #scarcest(words: readonly string[], from: number): Promise<string | null> {
    const { rows } = await sql<{ word: string; reach: number }>`
      select word.value as word,
        (select iif(count(*) < ${SAMPLE}, count(*), min(id)) from (select rowid as id from log_search
          where log_search match '"' || word.value || '"' and ${this.#below(sql`rowid`, from)} order by rowid desc limit ${SAMPLE})) as reach
      from json_each(${JSON.stringify(words)}) as word order by reach limit 1`.execute(this.#db)
    const [first] = rows
    return first === undefined || first.reach === 0 ? null : first.word
  }

  async #withPhrases(phrases: SearchQuery, found: readonly Found[]): Promise<readonly Found[]> {
    const ids = JSON.stringify(found.map(([id]) => id))
    const { rows } = await sql<{ id: number }>`
      select id from log_entries where id in (select value from json_each(${ids}))
        and has_phrases(${searchable('log_entries')}, ${JSON.stringify(phrases)})`.execute(this.#db)
    const fits = new Set(rows.map(({ id }) => id))
    return found.filter(([id]) => fits.has(id))
  }
}
