import { Hono } from 'hono'
import * as z from 'zod'
import { AppError } from '../../kit/errors.ts'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { route } from '../../kit/http/route.ts'
import { Accepted, accepted, BatchQuery } from '../../kit/http/sifting.ts'
import { answerJson, searcherOf } from './answers.ts'
import { Trace, TracePage } from './contract.ts'
import { batchOf, readBatch } from './intake.ts'
import { TraceQuery } from './requests.ts'
import { asSpan, NewSpan, SpanForm } from './span-request.ts'
import type { Spans } from './spans.ts'

/** What the routes work with. */
export interface TraceRoutesOptions {
  readonly spans: Spans
  /** Told how many spans were stored. */
  readonly onAccepted: (count: number) => void
}

/** The log server's traces over HTTP: spans taken in batches, traces listed and shown (design §5). */
export function traceRoutes({ spans, onAccepted }: TraceRoutesOptions): Hono<AppEnv> {
  const app = new Hono<AppEnv>()

  app.post(
    '/traces',
    route({
      summary:
        'Store finished spans: one, an array, or one a line (NDJSON); at most 10 000 and 8 MiB; those that don’t fit are left out and named',
      scope: 'logs:write',
      query: BatchQuery,
      takes: batchOf(SpanForm),
      housekeeping: true,
      responses: {
        202: Accepted,
        400: 'None fits, or with `atomic` not all; `detail` names its index',
        403: 'All are in another service’s name',
      },
    }),
    async (c) => {
      const { atomic } = c.req.valid('query')
      const { items, rejected } = await readBatch(c, {
        schema: NewSpan,
        invalid: 'Invalid span',
        atomic,
        adopt: asSpan,
      })
      await spans.add(items)
      onAccepted(items.length)
      return c.json(accepted(items.length, rejected), 202)
    },
  )

  app.get(
    '/traces',
    route({
      summary: 'List traces, newest first',
      scope: 'logs:read',
      query: TraceQuery,
      responses: { 200: TracePage, 503: 'Too many searches are under way' },
    }),
    async (c) => {
      const { limit, after, ...filter } = c.req.valid('query')
      return c.json(await spans.find(filter, { limit, after }, searcherOf(c)))
    },
  )

  app.get(
    '/traces/:trace_id',
    route({
      summary: 'Show a trace: its spans by start; at most 10 000, with 4 MiB of what they carry',
      scope: 'logs:read',
      params: z.object({ trace_id: z.string().max(128).toLowerCase() }),
      responses: { 200: Trace, 404: 'None of it is stored', 503: 'Too many searches are under way' },
    }),
    async (c) => {
      const { trace_id: traceId } = c.req.valid('param')
      const found = await spans.trace(traceId, searcherOf(c))
      if (found.length === 0) throw new AppError('NOT_FOUND', 'Trace not found')
      return answerJson(c, `{"trace_id":${JSON.stringify(traceId)},"spans":[${found.join(',')}]}`)
    },
  )

  return app
}
