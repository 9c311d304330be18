import type { Hono } from 'hono'
import * as z from 'zod'
import type { BusConsumer } from '../../drivers/bus/consumer.ts'
import type { Clock } from '../../drivers/clock.ts'
import { DriverError } from '../../drivers/driver-error.ts'
import { AppError } from '../../kit/errors.ts'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { type EventStream, eventStream } from '../../kit/http/event-stream.ts'
import { route } from '../../kit/http/route.ts'
import type { Waits } from '../../kit/http/waits.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import type { BrokerMetrics } from './broker-metrics.ts'
import { SubscriptionPath } from './contract.ts'
import { deliveryJson } from './message-json.ts'
import { createOpenStreams, type InHand, type OpenStreams } from './open-streams.ts'
import type { Ownership } from './ownership.ts'

/** Length of one wait for messages, in milliseconds. */
const WAIT_MS = 30_000

const StreamQuery = z.strictObject({
  /** Most messages that the reader has and has not settled. */
  max: z.coerce.number('a whole number from 1 to 1000 is wanted').int().min(1).max(1_000).default(64),
})

/** What the routes work with. */
export interface StreamRoutesOptions {
  readonly bus: Pick<BusConsumer, 'subscription' | 'pull' | 'nack'>
  readonly clock: Pick<Clock, 'monotonic'>
  readonly ownership: Pick<Ownership, 'checkUse'>
  readonly metrics: Pick<BrokerMetrics, 'delivered'>
  readonly log: Log
  /** The readers, counted; when the role stops their streams end. */
  readonly waits: Waits
}

/** The route by which consumers are sent messages as server-sent events, and settle them by `…/ack` and `…/nack`. */
export function streamRoutes(app: Hono<AppEnv>, options: StreamRoutesOptions): OpenStreams {
  const { bus, clock, ownership } = options
  const streams = createOpenStreams(() => clock.monotonic())
  app.post(
    '/broker/subscriptions/:id/stream',
    route({
      summary: 'Lease messages as they come (server-sent events); the reader settles each by its ack token',
      scope: 'messages:consume',
      params: SubscriptionPath,
      query: StreamQuery,
      invalid: 'Invalid stream',
      responses: {
        200: 'text/event-stream: each event is a delivery',
        403: "Another's",
        404: 'Unknown subscription',
        409: 'Its messages are pushed',
        429: 'Too many wait',
      },
    }),
    async (c) => {
      const { id } = c.req.valid('param')
      const { max } = c.req.valid('query')
      const subscription = await bus.subscription(id)
      if (!subscription) throw new AppError('NOT_FOUND', 'Subscription not found')
      ownership.checkUse(subscription)
      const { push, ackWaitMs } = subscription
      if (push) throw new AppError('CONFLICT', `This subscription gets its messages pushed to ${push.url}`)
      return eventStream(c, options, async (events) => {
        const inHand = streams.open(id, ackWaitMs)
        try {
          await deliver(id, max, inHand, events, options)
        } catch (fault) {
          if (!isOver(fault)) throw fault
        } finally {
          await giveBack(bus, id, inHand.close())
        }
      })
    },
  )
  return streams
}

/** Sends messages while the reader has fewer than `max` that it has not settled. */
async function deliver(
  id: string,
  max: number,
  inHand: InHand,
  events: EventStream,
  { bus, metrics }: Pick<StreamRoutesOptions, 'bus' | 'metrics'>,
): Promise<void> {
  while (!events.signal.aborted) {
    const room = max - inHand.count()
    if (room <= 0) {
      await inHand.fewer(events.signal)
      continue
    }
    const deliveries = await bus.pull(id, { max: room, waitMs: WAIT_MS, signal: events.signal })
    for (const { ack } of deliveries) inHand.add(ack)
    for (const delivery of deliveries) {
      if (!(await events.room()) || !events.send({ data: deliveryJson(delivery) })) break
      metrics.delivered(delivery.topic, 1)
    }
  }
}

/**
 * Gives back what a reader left behind, at once. It read in order: the first may be what it died of, so that a message which kills its readers again
 * and again becomes a dead letter; the others it never came to.
 */
async function giveBack(
  bus: Pick<BusConsumer, 'nack'>,
  id: string,
  [first, ...others]: readonly string[],
): Promise<void> {
  const reason = 'the reader went away'
  try {
    // the first one before the others: it comes first again, since what comes back comes in the order in which it was given back
    if (first !== undefined) await bus.nack(id, [first], { reason, left: true })
    if (others.length > 0) await bus.nack(id, others, { reason, unseen: true })
  } catch (fault) {
    if (!isOver(fault)) throw fault
  }
}

/** The subscription ended or the broker stopped meanwhile: a reader who comes back hears of it. */
function isOver(fault: unknown): boolean {
  return fault instanceof DriverError && (fault.kind === 'not-found' || fault.kind === 'closed')
}
