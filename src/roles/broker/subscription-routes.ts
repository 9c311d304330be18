import type { Hono } from 'hono'
import * as z from 'zod'
import type { BusConsumer, Subscription, SubscriptionSpec } from '../../drivers/bus/consumer.ts'
import type { BusReader } from '../../drivers/bus/reader.ts'
import { refusedOnceResolved, refusedUrl } from '../../kit/discovery/address-rule.ts'
import { servicePlace } from '../../kit/discovery/service-url.ts'
import { AppError } from '../../kit/errors.ts'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { Limit, page } from '../../kit/http/paging.ts'
import { route } from '../../kit/http/route.ts'
import { hideInText } from '../../kit/secrets/secret-text.ts'
import { checkTopicPattern } from '../../kit/topic-name.ts'
import type { Consumers } from './consumers.ts'
import { NewSubscription, SubscriptionPath, SubscriptionState } from './contract.ts'
import type { KnownSubscriptions } from './known-subscriptions.ts'
import type { Ownership } from './ownership.ts'
import { placeOf } from './place.ts'
import type { PushDelivery } from './push-delivery.ts'

/** What the routes work with. */
export interface SubscriptionRoutesOptions {
  readonly bus: BusConsumer & Pick<BusReader, 'place'>
  readonly push: PushDelivery
  readonly known: KnownSubscriptions
  readonly consumers: Pick<Consumers, 'began'>
  readonly ownership: Ownership
  /** Told of what came and went. Default: nobody. */
  readonly onSubscribed?: ((topic: string) => void) | undefined
  readonly onUnsubscribed?: ((id: string) => void) | undefined
}

/** What a subscription without a group lives on without being used, in seconds (a day): nobody else will come for it. */
const EXPIRES_AFTER = 86_400

const ListQuery = z.strictObject({
  limit: Limit,
  after: SubscriptionPath.shape.id.optional(),
  /** Only those to this very topic or pattern. */
  topic: NewSubscription.shape.topic.optional(),
  group: NewSubscription.shape.group,
})

/** The routes by which subscriptions come and go. */
export function subscriptionRoutes(app: Hono<AppEnv>, options: SubscriptionRoutesOptions): void {
  const { bus, push, known, consumers, ownership, onSubscribed, onUnsubscribed } = options

  app.post(
    '/broker/subscriptions',
    route({
      summary: 'Subscribe to a topic or pattern; the same topic and group give the same subscription',
      scope: 'messages:consume',
      body: NewSubscription,
      invalid: 'Invalid subscription',
      responses: { 201: SubscriptionState, 403: "The group is another service's", 409: 'The group has another owner' },
    }),
    async (c) => {
      const wanted = c.req.valid('json')
      checkTopicPattern(wanted.topic)
      ownership.checkGroup(wanted.group)
      if (wanted.push) await checkPush(wanted.push.url, wanted.expires_after)
      const owner = ownership.owner()
      if (owner !== undefined && owner === wanted.group) await endOthers(wanted.topic, owner)
      const reserved = ownership.isReserved(wanted.topic, wanted.group)
      const { from } = wanted
      const after = from === undefined ? undefined : await placeOf(bus, wanted.topic, from)
      const spec = { ...toSpec(wanted), ...(after !== undefined && { from: { after } }) }
      const subscription = await bus.subscribe({ ...spec, reserved, ...(owner !== undefined && { owner }) })
      known.forget(subscription.id)
      if (wanted.consumer !== undefined) await consumers.began(subscription.id, wanted.consumer)
      push.update(subscription)
      onSubscribed?.(subscription.topic)
      return c.json(stateOf(subscription), 201, { location: `/broker/subscriptions/${subscription.id}` })
    },
  )

  app.get(
    '/broker/subscriptions',
    route({
      summary: 'Subscriptions, the oldest first',
      scope: 'messages:read',
      query: ListQuery,
      invalid: 'Invalid query',
      responses: { 200: z.object({ subscriptions: z.array(SubscriptionState) }) },
    }),
    async (c) => {
      const { limit, ...filter } = c.req.valid('query')
      const all = ownership.sees({})
      const found = await bus.subscriptions(all ? { ...filter, limit: limit + 1 } : filter)
      const seen = all ? found : found.filter(ownership.sees).slice(0, limit + 1)
      return c.json({ subscriptions: page(c, seen.map(shown), limit) })
    },
  )

  app.get(
    '/broker/subscriptions/:id',
    route({
      summary: 'One subscription',
      scope: 'messages:read',
      params: SubscriptionPath,
      responses: { 200: SubscriptionState, 403: "Another's", 404: 'Unknown' },
    }),
    async (c) => {
      const subscription = await bus.subscription(c.req.valid('param').id)
      if (!subscription) throw new AppError('NOT_FOUND', 'Subscription not found')
      ownership.checkLook(subscription)
      return c.json(shown(subscription))
    },
  )

  app.delete(
    '/broker/subscriptions/:id',
    route({
      summary: 'End a subscription',
      scope: 'messages:consume',
      params: SubscriptionPath,
      responses: { 204: 'Gone', 403: "Another's", 404: 'Unknown' },
    }),
    async (c) => {
      const { id } = c.req.valid('param')
      ownership.checkUse(await known.get(id))
      if (!(await end(id))) throw new AppError('NOT_FOUND', 'Subscription not found')
      return c.body(null, 204)
    },
  )

  /** A push URL may hold what lets the broker in there: that is shown to nobody, and its query to the owner alone. */
  function shown(subscription: Subscription) {
    const { push } = subscription
    if (!push) return stateOf(subscription)
    const url = ownership.isOwn(subscription) ? push.url : push.url.replace(/\?.*/, '')
    return stateOf({ ...subscription, push: { url: hideInText(url) } })
  }

  async function end(id: string): Promise<boolean> {
    await push.stop(id)
    known.forget(id)
    const found = await bus.unsubscribe(id)
    if (found) onUnsubscribed?.(id)
    return found
  }

  /** A group named like a service is that service's: what others made of it before it came ends, with where they were in it. */
  async function endOthers(topic: string, group: string): Promise<void> {
    const same = await bus.subscriptions({ topic, group })
    for (const { id, owner } of same) if (owner !== undefined && owner !== group) await end(id)
  }
}

function toSpec({
  topic,
  group,
  push,
  max_deliver,
  ack_wait,
  give_up_after,
  expires_after = group === undefined && !push ? EXPIRES_AFTER : undefined,
}: z.infer<typeof NewSubscription>): SubscriptionSpec {
  return {
    topic,
    ...(group !== undefined && { group }),
    ...(push && { push }),
    ...(max_deliver !== undefined && { maxDeliver: max_deliver }),
    ...(ack_wait !== undefined && { ackWaitMs: Math.round(ack_wait * 1000) }),
    ...(give_up_after !== undefined && { giveUpAfterMs: Math.round(give_up_after * 1000) }),
    ...(expires_after !== undefined && { expiresAfterMs: Math.round(expires_after * 1000) }),
  }
}

function stateOf(subscription: Subscription) {
  const { id, topic, group, owner, push, maxDeliver, ackWaitMs, giveUpAfterMs, expiresAfterMs, pending, leased } =
    subscription
  return {
    id,
    topic,
    group,
    owner,
    push,
    max_deliver: maxDeliver,
    ack_wait: ackWaitMs / 1000,
    give_up_after: giveUpAfterMs / 1000,
    expires_after: expiresAfterMs === undefined ? undefined : expiresAfterMs / 1000,
    pending,
    leased,
  } satisfies { [K in keyof z.input<typeof SubscriptionState>]: unknown }
}

/** Throws AppError `INVALID_REQUEST` for a URL that the broker must not call, and for an end that would never come: the broker itself pulls. */
async function checkPush(url: string, expiresAfter: number | undefined): Promise<void> {
  if (expiresAfter !== undefined) {
    throw new AppError('INVALID_REQUEST', 'Invalid subscription', {
      detail: 'expires_after: not for push, which is always in use',
    })
  }
  if (servicePlace(url)) return
  const refused = refusedUrl(url) ?? (await refusedOnceResolved(new URL(url).hostname))
  if (refused === undefined) return
  throw new AppError('INVALID_REQUEST', 'Invalid push URL', { detail: `push.url is refused: ${refused}` })
}
