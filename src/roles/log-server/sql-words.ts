import { type Kysely, type RawBuilder, sql } from 'kysely'
import { dialectOf } from '../../drivers/store/dialect.ts'
import { restored, storable } from './storable-text.ts'

/** What is said differently in queries of spans. */
export interface SqlWords {
  /** A span's key, which grows as they come. */
  readonly key: RawBuilder<unknown>
  /** The values of a JSON array of numbers, or of texts, as rows. */
  readonly numbersIn: (json: string) => RawBuilder<unknown>
  readonly textsIn: (json: string) => RawBuilder<unknown>
  /** A JSON array of two. */
  readonly pair: (first: RawBuilder<unknown>, second: RawBuilder<unknown>) => RawBuilder<unknown>
  /** All rows' values as the text of one JSON array; null when there are none. */
  readonly listOf: (
    value: RawBuilder<unknown>,
    order: RawBuilder<unknown>,
    where: RawBuilder<unknown>,
  ) => RawBuilder<unknown>
  /** A text as it is kept, and back. */
  readonly kept: (text: string) => string
  readonly given: (text: string) => string
}

const SQLITE: SqlWords = {
  key: sql`rowid`,
  numbersIn: (json) => sql`select value from json_each(${json})`,
  textsIn: (json) => sql`select value from json_each(${json})`,
  pair: (first, second) => sql`json_array(${first}, ${second})`,
  listOf: (value, order, where) => sql`json_group_array(${value} order by ${order}) filter (where ${where})`,
  kept: (text) => text,
  given: (text) => text,
}

const POSTGRES: SqlWords = {
  key: sql`id`,
  numbersIn: (json) => sql`select json_array_elements_text(${json}::json)::bigint`,
  textsIn: (json) => sql`select json_array_elements_text(${json}::json)`,
  pair: (first, second) => sql`json_build_array(${first}, ${second})`,
  listOf: (value, order, where) => sql`json_agg(${value} order by ${order}) filter (where ${where})::text`,
  kept: storable,
  given: restored,
}

/** The words of what lies behind a store's Kysely, or a transaction's. */
export function wordsFor<DB>(db: Kysely<DB>): SqlWords {
  return dialectOf(db).name === 'sqlite' ? SQLITE : POSTGRES
}
