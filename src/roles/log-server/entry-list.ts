import { type Kysely, type RawBuilder, sql } from 'kysely'
import { LEVELS } from '../../kit/telemetry/log.ts'
import type { Entry } from './contract.ts'
import type { Found } from './found.ts'
import type { Page, Stepwise } from './stepped-read.ts'
import type { EntryRow, LogTables } from './tables.ts'

/** Which entries: all that is given must hold. */
export interface EntryFilter {
  readonly service?: string | undefined
  /** At least this one. */
  readonly level?: Entry['level'] | undefined
  readonly trace_id?: string | undefined
  /** What someone typed into a search box. */
  readonly q?: string | undefined
}

/** The entries that fit a filter, newest first, as a list to be read in steps. A cursor is an id: what comes next has a lower one. */
export class EntryList implements Stepwise<Found, number> {
  readonly #db: Kysely<LogTables>
  readonly #candidates: RawBuilder<unknown>
  readonly #id: RawBuilder<unknown>
  readonly #wanted: RawBuilder<unknown>
  readonly #lowest: number

  /**
   * @param expression what the full-text index has to match
   * @param lowest the last id that is looked at
   */
  constructor(
    db: Kysely<LogTables>,
    { service, level, trace_id: trace }: EntryFilter,
    expression: string | undefined,
    lowest: number,
  ) {
    this.#db = db
    this.#lowest = lowest
    const wanted = [sql`true`]
    if (service !== undefined) wanted.push(sql`service = ${service}`)
    if (level !== undefined) wanted.push(sql`level >= ${LEVELS.indexOf(level)}`)
    if (trace !== undefined && expression !== undefined) wanted.push(sql`trace_id = ${trace}`)
    this.#wanted = sql.join(wanted, sql` and `)
    this.#id = expression === undefined ? sql`id` : sql`rowid`
    if (expression !== undefined) this.#candidates = sql`log_search where log_search match ${expression}`
    else
      this.#candidates = trace === undefined ? sql`log_entries where true` : sql`log_entries where trace_id = ${trace}`
  }

  /** All in one statement: what FTS5 has to go through for a hit, or to find that there is none, it goes through once. */
  async step(from: number, size: number, limit: number): Promise<Page<Found, number>> {
    const id = this.#id
    // FTS5 begins and ends at a rowid only when that is an integer, and node:sqlite binds every number as a float
    const range = sql`${id} < cast(${from} as integer) and ${id} >= cast(${this.#lowest} as integer)`
    // CROSS JOIN keeps SQLite from turning the join around
    const { rows } = await sql<{ looked: number; lowest: number | null; found: string }>`
      select count(*) as looked, min(hits.id) as lowest,
        json_group_array(json_array(hits.id, octet_length(message) + coalesce(octet_length(metadata), 0))
          order by hits.id desc) filter (where ${this.#wanted}) as found
      from (select ${id} as id from ${this.#candidates} and ${range} order by ${id} desc limit ${size}) as hits
      cross join log_entries on log_entries.id = hits.id`.execute(this.#db)
    const { looked, lowest, found } = rows[0] ?? { looked: 0, lowest: null, found: '[]' }
    const wanted: Found[] = JSON.parse(found)
    return { rows: wanted.slice(0, limit), next: looked < size || lowest === null ? undefined : lowest }
  }

  after([id]: Found): number {
    return id
  }
}

/** The entries that were found, in their order; those deleted meanwhile are missing. */
export async function rowsOf(db: Kysely<LogTables>, found: readonly Found[]): Promise<readonly EntryRow[]> {
  if (found.length === 0) return []
  const ids = JSON.stringify(found.map(([id]) => id))
  const { rows } = await sql<EntryRow>`
    select * from log_entries where id in (select value from json_each(${ids})) order by id desc`.execute(db)
  return rows
}
