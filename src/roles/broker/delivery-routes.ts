import type { Hono } from 'hono'
import * as z from 'zod'
import type { BusConsumer, Delivery } from '../../drivers/bus/consumer.ts'
import { AppError } from '../../kit/errors.ts'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { route } from '../../kit/http/route.ts'
import type { Wait, Waits } from '../../kit/http/waits.ts'
import { hideInText } from '../../kit/secrets/secret-text.ts'
import type { BrokerMetrics } from './broker-metrics.ts'
import type { Consumers } from './consumers.ts'
import { Acknowledgement, Consumer, Delivery as DeliverySchema, Renewal, Return, SubscriptionPath } from './contract.ts'
import type { KnownSubscriptions } from './known-subscriptions.ts'
import { deliveryJson, JSON_HEADERS } from './message-json.ts'
import type { OpenStreams } from './open-streams.ts'
import type { Ownership } from './ownership.ts'

/** Most messages in one pull. */
const MAX_PULL = 1_000
/** Longest wait of one pull, in seconds. */
const MAX_WAIT = 60

const PullQuery = z.strictObject({
  max: z.coerce.number(`a whole number from 1 to ${MAX_PULL} is wanted`).int().min(1).max(MAX_PULL).default(1),
  wait: z.coerce.number(`a number of seconds from 0 to ${MAX_WAIT} is wanted`).min(0).max(MAX_WAIT).default(0),
  consumer: Consumer.optional(),
})

/** What the routes work with. */
export interface DeliveryRoutesOptions {
  readonly bus: Pick<BusConsumer, 'pull' | 'ack' | 'renew' | 'nack'>
  readonly known: KnownSubscriptions
  readonly ownership: Pick<Ownership, 'checkUse'>
  readonly streams: OpenStreams
  readonly consumers: Consumers
  readonly metrics: BrokerMetrics
  /** The pulls that wait, counted; when the role stops they end empty. */
  readonly waits: Waits
}

/** The routes by which consumers take messages and settle them. */
export function deliveryRoutes(app: Hono<AppEnv>, options: DeliveryRoutesOptions): void {
  const { bus, known, ownership, streams, consumers, metrics, waits } = options

  app.post(
    '/broker/subscriptions/:id/pull',
    route({
      summary: 'Lease messages, waiting for the first if need be',
      scope: 'messages:consume',
      params: SubscriptionPath,
      query: PullQuery,
      invalid: 'Invalid pull',
      responses: {
        200: z.object({ messages: z.array(DeliverySchema) }),
        403: "Another's",
        404: 'Unknown subscription',
        429: 'Too many wait',
      },
    }),
    async (c) => {
      const { id } = c.req.valid('param')
      const { max, wait, consumer } = c.req.valid('query')
      ownership.checkUse(await known.get(id))
      consumers.heardOf(c, id, consumer)
      const pull = waits.begin(c, wait > 0)
      try {
        const how = { max, waitMs: wait * 1000, signal: pull.signal, ...(consumer !== undefined && { consumer }) }
        const deliveries = await bus.pull(id, how)
        await giveBackUnread(id, deliveries, pull)
        countDelivered(deliveries, metrics)
        return c.body(`{"messages":[${deliveries.map(deliveryJson).join(',')}]}`, 200, JSON_HEADERS)
      } finally {
        pull.end()
      }
    },
  )

  /** A caller who went away before his answer won't acknowledge: the next one needn't wait for the lease to end. */
  async function giveBackUnread(id: string, deliveries: readonly Delivery[], pull: Wait): Promise<void> {
    if (deliveries.length === 0 || !pull.gone()) return
    const tokens = deliveries.map((delivery) => delivery.ack)
    await bus.nack(id, tokens, { delayMs: 0, reason: 'the consumer went away', unseen: true })
  }

  app.post(
    '/broker/subscriptions/:id/ack',
    route({
      summary: 'Deliveries that are done',
      scope: 'messages:consume',
      params: SubscriptionPath,
      body: Acknowledgement,
      invalid: 'Invalid acknowledgement',
      responses: {
        200: z.object({ acked: z.int(), refused: z.int() }),
        403: "Another's",
        404: 'Unknown subscription',
        409: 'No lease holds any more',
      },
    }),
    async (c) => {
      const { id } = c.req.valid('param')
      const { acks } = c.req.valid('json')
      const subscription = await known.get(id)
      ownership.checkUse(subscription)
      const acked = held(await bus.ack(id, acks))
      streams.settled(id, acks)
      metrics.acked(subscription.topic, acked)
      return c.json({ acked, refused: acks.length - acked })
    },
  )

  app.post(
    '/broker/subscriptions/:id/renew',
    route({
      summary: 'Deliveries that take longer: their leases begin anew',
      scope: 'messages:consume',
      params: SubscriptionPath,
      body: Renewal,
      invalid: 'Invalid renewal',
      responses: {
        200: z.object({ renewed: z.int(), refused: z.int() }),
        403: "Another's",
        404: 'Unknown subscription',
        409: 'No lease holds any more',
      },
    }),
    async (c) => {
      const { id } = c.req.valid('param')
      const { acks, consumer } = c.req.valid('json')
      ownership.checkUse(await known.get(id))
      consumers.heardOf(c, id, consumer)
      const renewed = held(await bus.renew(id, acks))
      return c.json({ renewed, refused: acks.length - renewed })
    },
  )

  app.post(
    '/broker/subscriptions/:id/nack',
    route({
      summary: 'Deliveries to come again',
      scope: 'messages:consume',
      params: SubscriptionPath,
      body: Return,
      invalid: 'Invalid nack',
      responses: {
        200: z.object({ nacked: z.int(), refused: z.int() }),
        403: "Another's",
        404: 'Unknown subscription',
        409: 'No lease holds any more',
      },
    }),
    async (c) => {
      const { id } = c.req.valid('param')
      const { acks, delay, reason, later } = c.req.valid('json')
      const how = {
        ...(later !== undefined && { later }),
        ...(delay !== undefined && { delayMs: delay * 1000 }),
        ...(reason !== undefined && { reason: hideInText(reason) }),
      }
      const subscription = await known.get(id)
      ownership.checkUse(subscription)
      const nacked = held(await bus.nack(id, acks, how))
      streams.settled(id, acks)
      metrics.nacked(subscription.topic, nacked)
      return c.json({ nacked, refused: acks.length - nacked })
    },
  )
}

/** A settlement that came too late for every one of its leases is refused, so that a consumer who slept notices. */
function held(count: number): number {
  if (count > 0) return count
  throw new AppError('CONFLICT', 'No lease holds any more', {
    detail: 'The leases ended or the deliveries were settled before; the messages come again or came again already',
  })
}

/** Counts neighbours of one topic together: a pull mostly has one. */
function countDelivered(deliveries: readonly Delivery[], metrics: Pick<BrokerMetrics, 'delivered'>): void {
  for (let at = 0; at < deliveries.length; ) {
    const topic = deliveries[at]?.topic ?? ''
    const from = at
    while (deliveries[at]?.topic === topic) at++
    metrics.delivered(topic, at - from)
  }
}
