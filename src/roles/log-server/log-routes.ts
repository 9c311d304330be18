import { Hono } from 'hono'
import type { Clock } from '../../drivers/clock.ts'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { callerName } from '../../kit/http/caller-name.ts'
import { eventStream } from '../../kit/http/event-stream.ts'
import { parseInput, route } from '../../kit/http/route.ts'
import { Accepted, accepted } from '../../kit/http/sifting.ts'
import type { Waits } from '../../kit/http/waits.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import { currentScope } from '../../kit/telemetry/scope.ts'
import { parseMoment } from '../../kit/telemetry/timestamps.ts'
import { answerJson, searcherOf } from './answers.ts'
import { EntryPage } from './contract.ts'
import { type Entries, entryJson } from './entries.ts'
import { batchOf, readBatch } from './intake.ts'
import { asEntry } from './loggers-entry.ts'
import { EntryQuery, LogBatchQuery, NewEntry, TailPlace, TailQuery } from './requests.ts'
import type { Tail } from './tail.ts'

/** What the routes work with. */
export interface LogRoutesOptions {
  readonly entries: Entries
  readonly tail: Tail
  readonly clock: Pick<Clock, 'now' | 'monotonic'>
  readonly log: Pick<Log, 'error'>
  /** The readers that follow, counted. */
  readonly waits: Waits
  /** Told how many entries were stored. */
  readonly onAccepted: (count: number) => void
}

/** The log server's entries over HTTP: taken in batches, found, followed (design §5). */
export function logRoutes({ entries, tail, clock, log, waits, onAccepted }: LogRoutesOptions): Hono<AppEnv> {
  const app = new Hono<AppEnv>()

  app.post(
    '/logs',
    route({
      summary:
        'Store log entries: one, an array, or one a line (NDJSON); at most 10 000 and 8 MiB; those that don’t fit are left out and named',
      scope: 'logs:write',
      query: LogBatchQuery,
      takes: batchOf(NewEntry),
      housekeeping: true,
      responses: {
        202: Accepted,
        400: 'None fits, or with `atomic` not all; `detail` names its index',
        403: 'All are in another service’s name',
      },
    }),
    async (c) => {
      const asker = currentScope()?.asker
      const { atomic, service = asker?.is === 'service' ? asker.subject : undefined } = c.req.valid('query')
      const { items, rejected } = await readBatch(c, {
        schema: NewEntry,
        invalid: 'Invalid log entry',
        atomic,
        adopt: (item) => asEntry(item, service),
      })
      await entries.add(items)
      onAccepted(items.length)
      return c.json(accepted(items.length, rejected), 202)
    },
  )

  app.get(
    '/logs',
    route({
      summary: 'Find log entries, newest first; a page ends early at a mebibyte, or when the search takes long',
      scope: 'logs:read',
      query: EntryQuery,
      responses: { 200: EntryPage, 503: 'Too many searches are under way' },
    }),
    async (c) => {
      const { since, until, limit, after, ...filter } = c.req.valid('query')
      const moment = (text: string | undefined) => (text === undefined ? undefined : parseMoment(text, clock.now()))
      const range = { since: moment(since), until: moment(until), limit, after }
      const { rows, next } = await entries.find(filter, range, searcherOf(c))
      return answerJson(
        c,
        `{"entries":[${rows.map(entryJson).join(',')}],"next":${next === undefined ? null : `"${next}"`}}`,
      )
    },
  )

  app.get(
    '/logs/tail',
    route({
      summary:
        'Follow log entries as they come, as server-sent events; `Last-Event-ID` or `from` continues behind an event’s id, or an entry’s',
      scope: 'logs:read',
      query: TailQuery,
      responses: { 200: 'A stream of entries', 429: 'Too many wait' },
    }),
    async (c) => {
      const { from, ...filter } = c.req.valid('query')
      const last = c.req.header('last-event-id')
      const after = last ? parseInput(TailPlace, last, 'Invalid Last-Event-ID') : from
      const back = after === undefined ? undefined : { entries, caller: callerName(c), after }
      await tail.open()
      return eventStream(c, { waits, log }, (events) => tail.follow(events, filter, back))
    },
  )

  return app
}
