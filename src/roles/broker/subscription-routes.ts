import type { Hono } from 'hono'
import * as z from 'zod'
import type { Bus, Subscription, SubscriptionSpec } from '../../drivers/bus/contract.ts'
import { refusedOnceResolved, refusedUrl } from '../../kit/discovery/address-rule.ts'
import { AppError } from '../../kit/errors.ts'
import { route } from '../../kit/http/route.ts'
import { checkTopicPattern } from '../../kit/messaging/topic-name.ts'
import type { AppEnv } from '../../kit/role.ts'
import { NewSubscription, SubscriptionPath, SubscriptionState } from './contract.ts'
import type { PushDelivery } from './push-delivery.ts'

/** What the routes work with. */
export interface SubscriptionRoutesOptions {
  readonly bus: Bus
  readonly push: PushDelivery
  /** Told of what came and went. Default: nobody. */
  readonly onSubscribed?: ((topic: string) => void) | undefined
  readonly onUnsubscribed?: ((id: string) => void) | undefined
}

/** The routes by which subscriptions come and go. */
export function subscriptionRoutes(app: Hono<AppEnv>, options: SubscriptionRoutesOptions): void {
  const { bus, push, onSubscribed, onUnsubscribed } = options

  app.post(
    '/broker/subscriptions',
    route({
      summary: 'Subscribe to a topic or pattern; the same topic and group give the same subscription',
      scope: 'messages:consume',
      body: NewSubscription,
      invalid: 'Invalid subscription',
      responses: { 201: SubscriptionState },
    }),
    async (c) => {
      const wanted = c.req.valid('json')
      checkTopicPattern(wanted.topic)
      if (wanted.push) await checkPushUrl(wanted.push.url)
      const subscription = await bus.subscribe(toSpec(wanted))
      push.update(subscription)
      onSubscribed?.(subscription.topic)
      return c.json(stateOf(subscription), 201, { location: `/broker/subscriptions/${subscription.id}` })
    },
  )

  app.get(
    '/broker/subscriptions',
    route({
      summary: 'All subscriptions',
      scope: 'messages:read',
      responses: { 200: z.object({ subscriptions: z.array(SubscriptionState) }) },
    }),
    async (c) => c.json({ subscriptions: (await bus.subscriptions()).map(stateOf) }),
  )

  app.get(
    '/broker/subscriptions/:id',
    route({
      summary: 'One subscription',
      scope: 'messages:read',
      params: SubscriptionPath,
      responses: { 200: SubscriptionState, 404: 'Unknown' },
    }),
    async (c) => {
      const subscription = await bus.subscription(c.req.valid('param').id)
      if (!subscription) throw new AppError('NOT_FOUND', 'Subscription not found')
      return c.json(stateOf(subscription))
    },
  )

  app.delete(
    '/broker/subscriptions/:id',
    route({
      summary: 'End a subscription',
      scope: 'messages:consume',
      params: SubscriptionPath,
      responses: { 204: 'Gone', 404: 'Unknown' },
    }),
    async (c) => {
      const { id } = c.req.valid('param')
      await push.stop(id)
      if (!(await bus.unsubscribe(id))) throw new AppError('NOT_FOUND', 'Subscription not found')
      onUnsubscribed?.(id)
      return c.body(null, 204)
    },
  )
}

function toSpec({
  topic,
  group,
  push,
  max_deliver,
  ack_wait,
  from,
}: z.infer<typeof NewSubscription>): SubscriptionSpec {
  return {
    topic,
    ...(group !== undefined && { group }),
    ...(push && { push }),
    ...(max_deliver !== undefined && { maxDeliver: max_deliver }),
    ...(ack_wait !== undefined && { ackWaitMs: Math.round(ack_wait * 1000) }),
    ...(from !== undefined && { from }),
  }
}

function stateOf({ id, topic, group, push, maxDeliver, ackWaitMs, pending, leased }: Subscription) {
  const state = { id, topic, group, push, max_deliver: maxDeliver, ack_wait: ackWaitMs / 1000, pending, leased }
  return state satisfies { [K in keyof z.input<typeof SubscriptionState>]: unknown }
}

/** Throws AppError `INVALID_REQUEST` for a URL that the broker must not call. */
async function checkPushUrl(url: string): Promise<void> {
  const refused = refusedUrl(url) ?? (await refusedOnceResolved(new URL(url).hostname))
  if (refused === undefined) return
  throw new AppError('INVALID_REQUEST', 'Invalid push URL', { detail: `push.url is refused: ${refused}` })
}
