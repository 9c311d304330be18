import * as z from 'zod'
import { Limit } from '../../kit/http/paging.ts'
import { BatchQuery } from '../../kit/http/sifting.ts'
import { isRecord } from '../../kit/record.ts'
import { hideInText } from '../../kit/secrets/secret-text.ts'
import { hideSecrets } from '../../kit/secrets/secret-values.ts'
import { levelOf, SOME_LEVEL } from '../../kit/telemetry/level-names.ts'
import type { Level as LevelName } from '../../kit/telemetry/log.ts'
import { parseDuration, parseMoment, parseTimestamp } from '../../kit/telemetry/timestamps.ts'
import type { Attributes } from './attribute-value.ts'
import { ExactNumber, MAX_TEXT } from './contract.ts'
import { countWords, MAX_WORDS, parseSearch } from './search-query.ts'

export const Name = z.string().max(256)
const Id = z.string().max(128).toLowerCase()
const Level = z.union([z.string(), z.number()], SOME_LEVEL).transform((word, { addIssue }): LevelName => {
  const level = levelOf(word)
  if (level !== undefined) return level
  addIssue({ code: 'custom', message: SOME_LEVEL })
  return z.NEVER
})
/** Text of others: they may not know what they put into it. */
export const Text = (most: number, least = 0) => z.string().min(least).max(most).transform(hideInText)
/** An object with keys: a number that is kept to the letter is an object too. */
const Keyed = z.custom<object>(isRecord, { error: 'an object is wanted', abort: true }).meta({ type: 'object' })
/** A JSON object without its secrets. */
export const JsonObject = <V extends z.ZodType>(values: V) =>
  Keyed.pipe(z.record(z.string(), values)).transform((object, { addIssue }) => {
    if (JSON.stringify(object).length <= MAX_TEXT) return hideSecrets(object) as Attributes
    addIssue({ code: 'custom', message: `more than ${MAX_TEXT} characters as JSON` })
    return z.NEVER
  })
export const Timestamp = z.union([z.string(), z.number(), ExactNumber]).transform((time, { addIssue }) => {
  const ms = parseTimestamp(JSON.isRawJSON(time) ? time.rawJSON : String(time))
  if (ms !== undefined) return ms
  addIssue({ code: 'custom', message: 'neither an RFC 3339 time nor seconds, ms, µs or ns since 1970' })
  return z.NEVER
})
const Moment = z.string().refine((text) => parseMoment(text, 0) !== undefined, 'neither a time nor a while such as 15m')

/** A log entry as it comes in, its secrets hidden. Without a time it gets the server's; null counts as absent. */
export const NewEntry = z.object({
  timestamp: Timestamp.nullish(),
  level: Level,
  service: Name.min(1),
  instance: Text(256).nullish(),
  message: Text(MAX_TEXT),
  trace_id: Id.nullish(),
  span_id: Id.nullish(),
  metadata: JsonObject(z.unknown()).nullish(),
})
export type NewEntry = z.output<typeof NewEntry>

/** How a batch of entries is taken. */
export const LogBatchQuery = BatchQuery.extend({
  /** Whose entries they are that don't say so themselves. Default: the service that sends them, else what `name` says. */
  service: Name.min(1).optional(),
})

const entryFilter = {
  service: Name.optional(),
  level: Level.optional(),
  trace_id: Id.optional(),
  q: z
    .string()
    .max(1_000)
    .refine((text) => countWords(parseSearch(text)) <= MAX_WORDS, `at most ${MAX_WORDS} words`)
    .optional(),
}
/** Where a reader of the stream goes on: behind an entry by its id, and behind its arrival where the stream said which that was. */
export const TailPlace = z
  .string()
  .regex(/^\d{1,16}(?:-[0-9a-f]{8}-[0-9a-z]{1,10})?$/, 'not the id of an entry, nor of an event')
  .transform((text) => {
    const [id, run = '', arrival = ''] = text.split('-')
    return { id: Number(id), run, arrival: Number.parseInt(arrival, 36) }
  })
export type TailPlace = z.output<typeof TailPlace>
/** Which entries to follow, and the one behind which to begin. `level` means at least; `q` are words that must all occur in message or metadata. */
export const TailQuery = z.strictObject({ ...entryFilter, from: TailPlace.optional() })
/** Which entries to find, newest first; `since` and `until` are times, or a while ago such as `15m`. */
export const EntryQuery = z.strictObject({
  ...entryFilter,
  since: Moment.optional(),
  until: Moment.optional(),
  limit: Limit,
  after: z
    .string()
    .regex(/^\d{1,16}$/, 'not the `next` of a page')
    .transform(Number)
    .optional(),
})

/** Which traces to find: a service that took part, a least duration (`250`, `250ms`, `1.5s`), whether anything failed. */
export const TraceQuery = z.strictObject({
  service: Name.optional(),
  min_duration: z
    .string()
    .transform((text, { addIssue }) => {
      const ms = parseDuration(text)
      if (ms !== undefined) return ms
      addIssue({ code: 'custom', message: 'not a duration such as 250ms or 1.5s' })
      return z.NEVER
    })
    .optional(),
  status: z.enum(['ok', 'error']).optional(),
  limit: Limit,
  after: z
    .string()
    .regex(/^\d{1,16}(?:\.\d{1,6})?-[0-9a-f]{32}$/, 'not the `next` of a page')
    .optional(),
})
