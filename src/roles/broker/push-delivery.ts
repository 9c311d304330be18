import type { BusConsumer, Delivery, SubscriptionTerms } from '../../drivers/bus/consumer.ts'
import { backOff } from '../../kit/back-off.ts'
import { messageOf } from '../../kit/errors.ts'
import { inBackground } from '../../kit/messaging/background.ts'
import { createPatience } from '../../kit/messaging/patience.ts'
import { createRetries } from '../../kit/messaging/retries.ts'
import { pause } from '../../kit/pause.ts'
import { hideInText } from '../../kit/secrets/secret-text.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import { readTraceContext } from '../../kit/telemetry/trace-context.ts'
import type { SpanContext, Tracing } from '../../kit/telemetry/tracing.ts'
import { failureVerdict } from '../../kit/upstream/unreachable.ts'
import { createWakeUp } from '../../kit/wake-up.ts'
import type { BrokerMetrics } from './broker-metrics.ts'
import { eventId } from './event-identity.ts'
import type { PushPlace } from './push-places.ts'
import { type PushOutcome, pushPost } from './push-post.ts'
import type { PushTarget } from './push-token.ts'

/** Posts under way at the same time, for each subscription. */
const CONCURRENCY = 16
/** Length of one wait for messages, in milliseconds. */
const WAIT_MS = 30_000
/** How often it is said to a bus that is away what became of a message: with the pauses between, for one to three seconds. */
const MOST_TRIES = 6

/** What push delivery works with. */
export interface PushDeliveryOptions {
  readonly bus: Pick<BusConsumer, 'pull' | 'ack' | 'nack'>
  readonly metrics: BrokerMetrics
  readonly tracing: Tracing
  readonly log: Log
  /** Wall clock. */
  readonly now: () => number
  /** Fires when the role stops: posts under way are cut and their messages given back. */
  readonly signal: AbortSignal
  /** Where the next post goes; undefined for a service of which no instance is registered. */
  readonly placeOf: (url: string) => PushPlace | undefined
  /** What a push brings to show who it is from; undefined for nothing. */
  readonly tokenFor: (target: PushTarget) => Promise<string | undefined>
}

/** Carries messages to the endpoints of push subscriptions. */
export interface PushDelivery {
  /** Brings a subscription's delivery up to date: starts it, points it to another URL, or ends it. */
  update(subscription: SubscriptionTerms): void
  /** Ends a subscription's delivery; resolves when nothing of it is under way any more. */
  stop(id: string): Promise<void>
  /** Resolves when all has ended, after `signal` fired. */
  stopped(): Promise<void>
}

interface Worker {
  readonly spec: string
  readonly url: string
  /** Whether anything was posted to it. */
  readonly posts: { readonly begun: boolean }
  readonly controller: AbortController
  readonly done: Promise<void>
}

/** Makes the push delivery; it starts with `update`. */
export function createPushDelivery(options: PushDeliveryOptions): PushDelivery {
  const workers = new Map<string, Worker>()
  return {
    update({ id, topic, push, ackWaitMs, owner }) {
      const spec = JSON.stringify([push?.url, ackWaitMs, owner])
      const running = workers.get(id)
      if (running?.spec === spec) return
      running?.controller.abort()
      workers.delete(id)
      if (running && running.url !== push?.url) {
        const now = push ? `now go to ${hideInText(push.url)}` : 'are pulled now'
        // one that has been posted nothing has moved with its platform, most likely
        const level = running.posts.begun ? 'warning' : 'debug'
        options.log[level](`Pushes to ${hideInText(running.url)} end: its subscription's messages ${now}`, {
          subscription: id,
          topic,
        })
      }
      if (!push || options.signal.aborted) return
      const controller = new AbortController()
      const signal = AbortSignal.any([controller.signal, options.signal])
      const posts = { begun: false }
      const start = async () => {
        await running?.done
        await deliver({ ...options, signal, id, url: push.url, ackWaitMs, owner, posts })
      }
      workers.set(id, { spec, url: push.url, posts, controller, done: inBackground(options.tracing, 'push', start) })
    },
    async stop(id) {
      const worker = workers.get(id)
      workers.delete(id)
      worker?.controller.abort()
      await worker?.done
    },
    async stopped() {
      await Promise.all(Array.from(workers.values(), (worker) => worker.done))
    },
  }
}

interface DeliverOptions extends PushDeliveryOptions {
  readonly id: string
  readonly url: string
  readonly ackWaitMs: number
  readonly owner: string | undefined
  /** Noted when the first message is posted. */
  readonly posts: { begun: boolean }
}

/** Pulls messages and posts them, at most CONCURRENCY at a time, one while the endpoint isn't well, until `signal` fires. */
async function deliver(options: DeliverOptions): Promise<void> {
  const { bus, log, signal, id, url } = options
  const finished = createWakeUp()
  const patience = createPatience()
  const most = () => (patience.isWell ? CONCURRENCY : 1)
  const what = `Pushing to ${url} waits for the bus`
  const retries = createRetries({ what, log, metadata: { subscription: id }, signal })
  let posting = 0

  async function post(delivery: Delivery): Promise<void> {
    posting++
    options.posts.begun = true
    try {
      patience.heard(await postOne(delivery, options))
    } catch (fault) {
      log.warning(`A push to ${url} could not be settled, it will be repeated: ${fault}`, { subscription: id })
    } finally {
      posting--
      finished.ring()
    }
  }

  while (!signal.aborted) {
    try {
      while (posting >= most() && !signal.aborted) await finished.sleep(WAIT_MS, signal)
      await patience.untilNextTry(signal)
      const deliveries = await bus.pull(id, { max: most() - posting, waitMs: WAIT_MS, signal })
      retries.succeeded()
      for (const delivery of deliveries) void post(delivery)
    } catch (fault) {
      await retries.failed(fault)
    }
  }
  const never = new AbortController().signal
  while (posting > 0) await finished.sleep(WAIT_MS, never)
}

/**
 * Posts one message and settles it: 2xx acknowledges, anything else gives it back with the bus's back-off.
 * @returns whether it was put off
 */
async function postOne(delivery: Delivery, options: DeliverOptions): Promise<boolean> {
  const { bus, metrics, tracing, log, signal, id, url } = options
  const { topic, ack } = delivery
  metrics.delivered(topic, 1)
  const span = tracing.start(`push ${topic}`, {
    kind: 'client',
    parent: readTraceContext(delivery.attributes) ?? null,
    attributes: { 'url.full': url, 'messaging.destination.name': topic, 'messaging.message.id': eventId(delivery) },
  })
  const outcome = await tryPost(delivery, span, options)
  if (outcome.taken) {
    span.end()
    await settle(() => bus.ack(id, [ack]), signal)
    metrics.acked(topic, 1)
    return false
  }
  const { reason } = outcome
  span.end({ failed: true, message: reason })
  log.debug(`A push to ${url} failed: ${reason}`, {
    subscription: id,
    message_id: eventId(delivery),
    delivery: delivery.delivery,
  })
  await settle(() => bus.nack(id, [ack], giveBack(outcome, signal.aborted)), signal)
  metrics.nacked(topic, 1)
  return outcome.later
}

async function tryPost(message: Delivery, span: SpanContext, options: DeliverOptions): Promise<PushOutcome> {
  const { placeOf, tokenFor, owner, now, signal, ackWaitMs: timeoutMs } = options
  const place = placeOf(options.url)
  if (!place) return { taken: false, later: true, reason: 'no instance of the service is registered' }
  const { url } = place
  const outcome = await tokenFor({ owner, url }).then(
    (token) => pushPost({ url, message, token, span, timeoutMs, now, signal }),
    (fault: unknown): PushOutcome => ({ taken: false, later: true, reason: `no token for it: ${messageOf(fault)}` }),
  )
  place.done(outcome.taken || !outcome.later ? 'success' : signal.aborted ? 'cancelled' : failureVerdict(outcome.cause))
  return outcome
}

/** Says what became of a message, again where the bus is away for a moment: what isn't acknowledged holds up its key until its lease ends, and comes twice. */
async function settle(say: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  for (let failures = 1; ; failures++) {
    try {
      await say()
      return
    } catch (fault) {
      if (failures === MOST_TRIES || signal.aborted) throw fault
      await pause(backOff(failures), signal)
    }
  }
}

function giveBack(outcome: PushOutcome & { taken: false }, stopping: boolean) {
  const { reason, later, retryAfterMs } = outcome
  if (stopping) return { delayMs: 0, reason: 'the broker stopped', later: true }
  return { reason, later, ...(retryAfterMs !== undefined && { delayMs: retryAfterMs }) }
}
