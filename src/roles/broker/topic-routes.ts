import type { Hono } from 'hono'
import * as z from 'zod'
import type { Bus } from '../../drivers/bus/contract.ts'
import { AppError } from '../../kit/errors.ts'
import { type EventStream, eventStream } from '../../kit/http/event-stream.ts'
import { parseInput, route } from '../../kit/http/route.ts'
import type { Waits } from '../../kit/http/waits.ts'
import { checkTopicPattern } from '../../kit/messaging/topic-name.ts'
import type { AppEnv } from '../../kit/role.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import { createWakeUp } from '../../kit/wake-up.ts'
import type { BrokerMetrics } from './broker-metrics.ts'
import { NewSubscription, TopicState } from './contract.ts'
import { messageJson } from './message-json.ts'

/** Messages read at a time. */
const BATCH = 64
/** How often a follower looks by itself, in milliseconds; it is told of what comes. */
const LOOK_MS = 30_000

const StreamQuery = z.object({
  group: NewSubscription.shape.group,
  from: z.union([z.enum(['new', 'first']), z.coerce.number().int().min(1)]).default('new'),
})
const LAST_EVENT_ID = z.coerce.number().int().min(0)

/** What the routes work with. */
export interface TopicRoutesOptions {
  readonly bus: Bus
  readonly metrics: BrokerMetrics
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
      summary: 'All topics',
      scope: 'messages:read',
      responses: { 200: z.object({ topics: z.array(TopicState) }) },
    }),
    async (c) => {
      const topics = await bus.topics()
      return c.json({
        topics: topics.map(({ topic, messages, firstOffset, lastOffset }) => {
          return { topic, messages, first_offset: firstOffset, last_offset: lastOffset }
        }),
      })
    },
  )

  app.get(
    '/broker/stream/:topic{[\\s\\S]+}',
    route({
      summary: 'Follow a topic or pattern (server-sent events); readers naming a group share the messages',
      scope: 'messages:read',
      query: StreamQuery,
      invalid: 'Invalid stream',
      responses: { 200: 'text/event-stream: each event is a message' },
    }),
    async (c) => {
      const topic = checkTopicPattern(c.req.param('topic'))
      const { group, from } = c.req.valid('query')
      const lastId = c.req.header('last-event-id')
      if (group !== undefined) {
        const id = await groupOf(bus, topic, group, from)
        return eventStream(c, options, (events) => share(id, events, options))
      }
      const after = lastId === undefined ? undefined : parseInput(LAST_EVENT_ID, lastId, 'Invalid Last-Event-ID')
      // settled before the answer begins: whoever sees its head sees all that is published from then on
      const start = await startOf(bus, from, after)
      return eventStream(c, options, (events) => follow(topic, start, events, bus))
    },
  )
}

/** The group's subscription: the one it has, as it is, or a new one. Throws AppError `CONFLICT` for a group that is pushed to. */
async function groupOf(bus: Bus, topic: string, group: string, from: 'new' | 'first' | number): Promise<string> {
  const subscriptions = await bus.subscriptions()
  const own = subscriptions.find((subscription) => subscription.topic === topic && subscription.group === group)
  if (own?.push) throw new AppError('CONFLICT', `The group ${group} gets its messages pushed to ${own.push.url}`)
  return (own ?? (await bus.subscribe({ topic, group, from }))).id
}

interface Start {
  /** Position to read behind. */
  readonly after: number
  /** First offset of each topic. */
  readonly from?: number
}

async function startOf(bus: Bus, from: 'new' | 'first' | number, after: number | undefined): Promise<Start> {
  if (after !== undefined) return { after }
  if (from === 'new') return { after: await bus.end() }
  return from === 'first' ? { after: 0 } : { after: 0, from }
}

/** Sends each message that fits to this reader; an event's id is where a reader who comes back goes on. */
async function follow(topic: string, start: Start, events: EventStream, bus: Bus): Promise<void> {
  const bell = createWakeUp()
  const unwatch = bus.watch(topic, () => bell.ring())
  let { after } = start
  try {
    while (!events.signal.aborted) {
      const messages = await bus.read(topic, { ...start, after, limit: BATCH })
      for (const message of messages) {
        if (!(await events.room())) return
        events.send({ id: String(message.position), data: messageJson(message) })
        after = message.position
      }
      if (messages.length === 0) await bell.sleep(LOOK_MS, events.signal)
    }
  } finally {
    unwatch()
  }
}

/** Sends a group's messages to whichever of its readers is free. A message handed to the connection counts as acknowledged. */
async function share(id: string, events: EventStream, { bus, metrics }: TopicRoutesOptions): Promise<void> {
  while (!events.signal.aborted) {
    const deliveries = await bus.pull(id, { max: BATCH, waitMs: LOOK_MS, signal: events.signal })
    const sent: string[] = []
    const left: string[] = []
    for (const delivery of deliveries) {
      const isSent = (await events.room()) && events.send({ data: messageJson(delivery) })
      if (isSent) metrics.delivered(delivery.topic, 1)
      if (isSent) sent.push(delivery.ack)
      else left.push(delivery.ack)
    }
    if (sent.length > 0) await bus.ack(id, sent)
    if (left.length > 0) await bus.nack(id, left, { delayMs: 0, reason: 'the reader went away' })
  }
}
