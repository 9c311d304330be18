import type { Hono } from 'hono'
import * as z from 'zod'
import type { BusAdministration } from '../../drivers/bus/administration.ts'
import type { BusReader, Cursor as Place } from '../../drivers/bus/reader.ts'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { type EventStream, eventStream } from '../../kit/http/event-stream.ts'
import { Limit, NumericId, page } from '../../kit/http/paging.ts'
import { parseInput, route } from '../../kit/http/route.ts'
import type { Waits } from '../../kit/http/waits.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import { checkTopicPattern, MAX_TOPIC_BYTES } from '../../kit/topic-name.ts'
import { createWakeUp } from '../../kit/wake-up.ts'
import { Cursor, SOME_PLACE, TopicState } from './contract.ts'
import { messageJson } from './message-json.ts'
import { placeOf } from './place.ts'

/** Messages read at a time. */
const BATCH = 64
/** How often a follower looks by itself, in milliseconds; it is told of what comes. */
const LOOK_MS = 30_000

/** Taking messages is an effect, which a GET has none of: a page that merely names the URL, as an image, would do it. */
const NO_GROUP =
  'A group takes messages, and this stream only looks on: POST /broker/subscriptions {"topic","group"}, then POST /broker/subscriptions/{id}/stream'

const StreamQuery = z.strictObject({
  group: z.never(NO_GROUP).optional(),
  from: z.union([z.enum(['new', 'first']), NumericId, Cursor], SOME_PLACE).default('new'),
})
const TopicsQuery = z.strictObject({ limit: Limit, after: z.string().max(MAX_TOPIC_BYTES).optional() })

/** What the routes work with. */
export interface TopicRoutesOptions {
  readonly bus: BusReader & Pick<BusAdministration, 'topics'>
  readonly log: Log
  /** The readers, counted. */
  readonly waits: Waits
}

/** The routes by which readers look at topics: which there are, and their messages as server-sent events. */
export function topicRoutes(app: Hono<AppEnv>, options: TopicRoutesOptions): void {
  const { bus } = options
  app.get(
    '/broker/topics',
    route({
      summary: 'Topics, page by page',
      scope: 'messages:read',
      query: TopicsQuery,
      invalid: 'Invalid query',
      responses: { 200: z.object({ topics: z.array(TopicState) }) },
    }),
    async (c) => {
      const { limit, after } = c.req.valid('query')
      const found = await bus.topics({ limit: limit + 1, after })
      const topics = found.map(({ topic, messages, firstOffset, lastOffset }) => {
        return { topic, messages, first_offset: firstOffset, last_offset: lastOffset }
      })
      return c.json({ topics: page(c, topics, limit, ({ topic }) => topic) })
    },
  )

  app.get(
    '/broker/stream/:topic{[\\s\\S]+}',
    route({
      summary: 'Look on as messages come to a topic or pattern (server-sent events), from an event’s id on; takes none',
      scope: 'messages:read',
      query: StreamQuery,
      invalid: 'Invalid stream',
      responses: { 200: 'text/event-stream: each event is a message' },
    }),
    async (c) => {
      const topic = checkTopicPattern(c.req.param('topic'))
      const lastId = c.req.header('last-event-id')
      const from = lastId ? parseInput(Cursor, lastId, 'Invalid Last-Event-ID') : c.req.valid('query').from
      // settled before the answer begins: whoever sees its head sees all that is published from then on
      const start = await placeOf(bus, topic, from)
      return eventStream(c, options, (events) => follow(topic, start, events, bus))
    },
  )
}

/** Sends each message that fits to this reader; an event's id is where a reader who comes back goes on. */
async function follow(topic: string, start: Place, events: EventStream, bus: BusReader): Promise<void> {
  const bell = createWakeUp()
  const unwatch = bus.watch(topic, () => bell.ring())
  let after = start
  try {
    while (!events.signal.aborted) {
      const { messages, cursor } = await bus.read(topic, { after, limit: BATCH, signal: events.signal })
      for (const message of messages) {
        if (!(await events.room())) return
        events.send({ id: message.cursor, data: messageJson(message) })
      }
      after = cursor
      if (messages.length === 0) await bell.sleep(LOOK_MS, events.signal)
    }
  } finally {
    unwatch()
  }
}
