import { Hono } from 'hono'
import * as z from 'zod'
import { AppError } from '../../kit/errors.ts'
import { route } from '../../kit/http/route.ts'
import type { AppEnv } from '../../kit/role.ts'
import { Accepted, Trace, TracePage } from './contract.ts'
import { parseBatch, readBatch, takesBatchOf } from './intake.ts'
import { NewSpan, TraceQuery } from './requests.ts'
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
      summary: 'Store finished spans: one, an array, or one a line (NDJSON); at most 10 000 and 8 MiB, all or none',
      scope: 'logs:write',
      responses: { 202: Accepted, 400: 'A span does not fit; `detail` names its index' },
    }),
    takesBatchOf(NewSpan),
    async (c) => {
      const batch = parseBatch(NewSpan, await readBatch(c), 'Invalid span')
      await spans.add(batch)
      onAccepted(batch.length)
      return c.json({ accepted: batch.length }, 202)
    },
  )

  app.get(
    '/traces',
    route({
      summary: 'List traces, newest first',
      scope: 'logs:read',
      query: TraceQuery,
      responses: { 200: TracePage },
    }),
    async (c) => {
      const { limit, after, ...filter } = c.req.valid('query')
      return c.json(await spans.find(filter, limit, after))
    },
  )

  app.get(
    '/traces/:trace_id',
    route({
      summary: 'Show a trace: its spans by start, 10 000 at most',
      scope: 'logs:read',
      params: z.object({ trace_id: z.string().toLowerCase() }),
      responses: { 200: Trace, 404: 'None of it is stored' },
    }),
    async (c) => {
      const trace = await spans.trace(c.req.valid('param').trace_id)
      if (trace === undefined) throw new AppError('NOT_FOUND', 'Trace not found')
      return c.json(trace)
    },
  )

  return app
}
