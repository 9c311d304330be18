import { type Kysely, type RawBuilder, sql } from 'kysely'
import { dialectOf } from '../../drivers/store/dialect.ts'
import { restored, storable } from './storable-text.ts'

/** What is said differently in queries of spans. */
export interface SqlWords {
  /** A span's key, which grows as they come. */
  readonly key: RawBuilder<unknown>
  /** Compares with each of some numbers, or of some texts. */
  readonly isNumberOf: (numbers: readonly number[]) => RawBuilder<unknown>
  readonly isTextOf: (texts: readonly string[]) => RawBuilder<unknown>
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
  isNumberOf: (numbers) => sql`in (select value from json_each(${JSON.stringify(numbers)}))`,
  isTextOf: (texts) => sql`in (select value from json_each(${JSON.stringify(texts)}))`,
  pair: (first, second) => sql`json_array(${first}, ${second})`,
  listOf: (value, order, where) => sql`json_group_array(${value} order by ${order}) filter (where ${where})`,
  kept: (text) => text,
  given: (text) => text,
}

const POSTGRES: SqlWords = {
  key: sql`id`,
  isNumberOf: (numbers) => sql`= some(${`{${numbers}}`}::bigint[])`,
  isTextOf: (texts) => sql`= some(array(select json_array_elements_text(${JSON.stringify(texts)}::json)))`,
  pair: (first, second) => sql`json_build_array(${first}, ${second})`,
  listOf: (value, order, where) => sql`json_agg(${value} order by ${order}) filter (where ${where})::text`,
  kept: storable,
  given: restored,
}

/** The words of what lies behind a store's Kysely, or a transaction's. */
export function wordsFor<DB>(db: Kysely<DB>): SqlWords {
  return dialectOf(db).name === 'sqlite' ? SQLITE : POSTGRES
}
