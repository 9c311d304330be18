import { Hono } from 'hono'
import type { Bus } from '../../drivers/bus/contract.ts'
import type { Publication } from '../../drivers/bus/publisher.ts'
import type { RoleContext } from '../../kit/context.ts'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { createBrokerMetrics } from './broker-metrics.ts'
import type { BrokerConfig } from './config.ts'
import { Consumers } from './consumers.ts'
import { checkDeadLetters } from './dead-letter-check.ts'
import { logDeadLetters } from './dead-letter-log.ts'
import { deadLetterRoutes } from './dead-letter-routes.ts'
import { delayedRoutes } from './delayed-routes.ts'
import { deliveryRoutes } from './delivery-routes.ts'
import { createKnownSubscriptions } from './known-subscriptions.ts'
import { createOwnership } from './ownership.ts'
import { publishRoutes } from './publish-routes.ts'
import { createPublisher, type Publisher } from './publisher.ts'
import { createPushDelivery } from './push-delivery.ts'
import { createPushPlaces } from './push-places.ts'
import { createPushToken } from './push-token.ts'
import { streamRoutes } from './stream-routes.ts'
import { subscriptionRoutes } from './subscription-routes.ts'
import { topicRoutes } from './topic-routes.ts'

/** What a broker needs of its role's context. */
export type BrokerContext = Pick<
  RoleContext<BrokerConfig>,
  | 'service'
  | 'authority'
  | 'directory'
  | 'bus'
  | 'clock'
  | 'config'
  | 'metrics'
  | 'tracing'
  | 'log'
  | 'signal'
  | 'waits'
  | 'check'
  | 'defer'
>

/** Told of what happens, after it did. */
export interface BrokerEvents {
  readonly onPublished?: (message: Publication) => void
  readonly onSubscribed?: (topic: string) => void
  readonly onUnsubscribed?: (id: string) => void
}

/** A started broker. */
export interface Broker {
  readonly app: Hono<AppEnv>
  readonly bus: Bus
  readonly publisher: Publisher
}

/** Puts a broker together on its role's bus and takes the push deliveries up again that were under way before. */
export async function startBroker(ctx: BrokerContext, events: BrokerEvents = {}): Promise<Broker> {
  const { config, clock, tracing, log, signal, waits } = ctx
  const ownership = createOwnership(config)
  const bus = await ctx.bus({
    maxTopics: config.max_topics,
    reservedTopics: ownership.reservedTopics,
    maxTopicsPerOwner: Math.max(1, Math.floor(config.max_topics * config.owner_share)),
    maxSubscriptions: config.max_subscriptions,
    maxSubscriptionsPerOwner: Math.max(1, Math.floor(config.max_subscriptions * config.owner_share)),
    maxDelayed: config.max_delayed,
  })
  logDeadLetters({ bus, tracing, log })
  const known = createKnownSubscriptions(bus)
  const metrics = createBrokerMetrics(ctx.metrics, bus)
  const { onPublished, onSubscribed, onUnsubscribed } = events
  const publisher = createPublisher({ bus, tracing, log, metrics, ...(onPublished && { onPublished }) })
  const push = createPushDelivery({
    bus,
    metrics,
    tracing,
    log,
    now: () => clock.now(),
    signal,
    placeOf: createPushPlaces(ctx),
    tokenFor: createPushToken(ctx),
  })
  ctx.defer(() => push.stopped())
  bus.watchSubscriptions((id, terms) => {
    known.forget(id)
    if (terms) push.update(terms)
    else void push.stop(id)
  })
  for (const subscription of await bus.subscriptions()) push.update(subscription)

  const consumers = new Consumers({ bus, log, clock })
  ctx.defer(async () => consumers.close())
  ctx.check('dead_letters', () => checkDeadLetters(bus), 'degraded')

  const app = new Hono<AppEnv>()
  const streams = streamRoutes(app, { bus, clock, ownership, metrics, log, waits })
  publishRoutes(app, { publisher, clock, ownership })
  subscriptionRoutes(app, { bus, push, known, consumers, ownership, onSubscribed, onUnsubscribed })
  deliveryRoutes(app, { bus, known, ownership, streams, consumers, metrics, waits })
  topicRoutes(app, { bus, log, waits })
  deadLetterRoutes(app, { bus, known, ownership })
  delayedRoutes(app, { bus })
  return { app, bus, publisher }
}
