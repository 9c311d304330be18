import type { Hono } from 'hono'
import * as z from 'zod'
import type { BusAdministration, DelayedMessage, DelayedQuery } from '../../drivers/bus/administration.ts'
import { AppError } from '../../kit/errors.ts'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { Limit } from '../../kit/http/paging.ts'
import { route } from '../../kit/http/route.ts'
import { checkTopicName } from '../../kit/topic-name.ts'
import { DelayedPage } from './contract.ts'
import { eventId } from './event-identity.ts'
import { listedPage } from './listed-page.ts'
import { delayedJson, JSON_HEADERS } from './message-json.ts'

/** Messages looked at in one part of a search for an id. */
const PAGE = 100

const DelayedListQuery = z.strictObject({
  topic: z.string().optional(),
  limit: Limit,
  after: z.string().min(1).max(255).optional(),
})
const CancelPath = z.object({ id: z.string().min(1).max(4_096) })
const CancelQuery = z.strictObject({ topic: z.string().optional() })

/** The routes that show messages which wait for their time, and throw them away before it. */
export function delayedRoutes(
  app: Hono<AppEnv>,
  { bus }: { readonly bus: Pick<BusAdministration, 'delayed' | 'cancelDelayed'> },
): void {
  app.get(
    '/broker/delayed',
    route({
      summary: 'Messages that wait for their time, the next one first',
      scope: 'messages:read',
      query: DelayedListQuery,
      invalid: 'Invalid query',
      responses: { 200: DelayedPage },
    }),
    async (c) => {
      const { topic, limit, after } = c.req.valid('query')
      const filter = filterBy(topic)
      const { items, next } = await listedPage((page) => bus.delayed({ ...filter, ...page }), limit, after)
      return c.body(
        `{"delayed":[${items.map(delayedJson).join(',')}],"next":${JSON.stringify(next)}}`,
        200,
        JSON_HEADERS,
      )
    },
  )

  app.delete(
    '/broker/delayed/:id',
    route({
      summary: 'Throw a message away that waits for its time: all that have this id, or the one of a topic',
      scope: 'messages:admin',
      params: CancelPath,
      query: CancelQuery,
      invalid: 'Invalid query',
      responses: { 200: z.object({ cancelled: z.int() }), 404: 'None waits, any more' },
    }),
    async (c) => {
      const { id } = c.req.valid('param')
      let cancelled = 0
      for (const message of await waiting(bus, id, filterBy(c.req.valid('query').topic))) {
        if (await bus.cancelDelayed(message)) cancelled++
      }
      if (cancelled > 0) return c.json({ cancelled })
      throw new AppError('NOT_FOUND', 'No such message waits', {
        detail: `No message waits with the id ${JSON.stringify(id)}: it may have taken its place, or be about to within a second`,
      })
    },
  )
}

/** Which messages are meant: a topic's, or all. Throws AppError `INVALID_REQUEST` for a name that no topic has. */
function filterBy(topic: string | undefined): Pick<DelayedQuery, 'topic'> {
  return topic === undefined ? {} : { topic: checkTopicName(topic) }
}

/** The messages to which their publishers gave this id. */
async function waiting(
  bus: Pick<BusAdministration, 'delayed'>,
  id: string,
  filter: Pick<DelayedQuery, 'topic'>,
): Promise<readonly DelayedMessage[]> {
  const found: DelayedMessage[] = []
  for (let after: string | undefined; ; ) {
    const part = await bus.delayed({ ...filter, id, limit: PAGE, ...(after !== undefined && { after }) })
    found.push(...part.filter((message) => eventId(message) === id))
    after = part.at(-1)?.cursor
    if (after === undefined) return found
  }
}
