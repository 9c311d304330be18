import { setTimeout as delay } from 'node:timers/promises'
import * as z from 'zod'
import type { BusConsumer, Delivery } from '../../drivers/bus/consumer.ts'
import type { Publication } from '../../drivers/bus/publisher.ts'
import type { RoleContext } from '../../kit/context.ts'
import { messageOf } from '../../kit/errors.ts'
import { parseExact } from '../../kit/exact-json.ts'
import { createRetries } from '../../kit/messaging/retries.ts'
import { defineRole } from '../../kit/role.ts'
import { startBroker } from './broker.ts'
import { BrokerConfig } from './config.ts'
import type { Publisher } from './publisher.ts'

const ORDERS = 'order.created'
const PAYMENTS = 'payment.processed'

/** What the seed's PaymentService answers every order with. */
const PAYMENT = '{"status": "success", "order_id": "123"}'

const Config = z.strictObject({
  /** Seconds the demo's PaymentService takes for an order (the seed's Sleep(1000)). */
  payment_delay: z.number().min(0).max(60).default(1),
})

type DemoContext = RoleContext<z.infer<typeof Config>>

/**
 * The broker with the two subscribers of the seed's example (9.7.12) in one process, saying what the seed's program prints, in its words.
 * @example msvc publish order.created '{"user_id":1,"product":"Laptop"}'
 */
export const brokerDemo = defineRole({
  name: 'broker-demo',
  service: 'broker',
  summary: 'the broker with two demo subscribers in one process',
  port: 8300,
  config: Config,
  needs: ['registry'],
  inUp: false,
  async start(ctx) {
    ctx.log.info('Démarrage des services asynchrones...')
    const { app, bus, publisher } = await startBroker({ ...ctx, config: BrokerConfig.parse({}) }, narrator(ctx))
    await subscribe(ctx, bus, PAYMENTS, 'demo-order-service', async ({ payload }) => {
      ctx.log.info(`[OrderService] Paiement traité: ${payload}`)
    })
    await subscribe(ctx, bus, ORDERS, 'demo-payment-service', (order) => pay(ctx, publisher, order))
    return { app }
  },
})

const Order = z.object({ user_id: z.union([z.number(), z.string()]), product: z.string() })

/** Says what the seed's broker says, and its OrderService when an order comes: here orders come from outside. */
function narrator({ log }: DemoContext) {
  return {
    onPublished({ topic, payload }: Publication) {
      const order = topic === ORDERS ? Order.safeParse(parseExact(payload)) : undefined
      if (order?.success) {
        log.info(`[OrderService] Création commande: User=${order.data.user_id}, Product=${order.data.product}`)
      }
      log.info(`[Broker] Message publié sur ${topic}`)
    },
    onSubscribed: (topic: string) => log.info(`[Broker] Abonnement créé pour ${topic}`),
    onUnsubscribed: (id: string) => log.info(`[Broker] Désabonnement effectué: ${id}`),
  }
}

/** The seed's PaymentService: takes its time, then publishes that the payment is done, once for each order. */
async function pay({ log, config, signal }: DemoContext, publisher: Publisher, order: Delivery): Promise<void> {
  log.info(`[PaymentService] Traitement paiement pour: ${order.payload}`)
  await delay(config.payment_delay * 1000, undefined, { signal })
  const { traceparent } = order.attributes
  const attributes = traceparent === undefined ? {} : { traceparent }
  await publisher.publish([{ id: `${order.id} paid`, topic: PAYMENTS, payload: PAYMENT, attributes }])
}

/** Hands a topic's messages to `handle`, one after the other as the seed's ProcessMessages does, until the role stops. */
async function subscribe(
  ctx: DemoContext,
  bus: Pick<BusConsumer, 'subscribe' | 'pull' | 'ack' | 'nack'>,
  topic: string,
  group: string,
  handle: (message: Delivery) => Promise<void>,
): Promise<void> {
  const { log, signal } = ctx
  const { id } = await bus.subscribe({ topic, group, from: 'first' })
  log.info(`[Broker] Abonnement créé pour ${topic}`)

  async function run(): Promise<void> {
    const retries = createRetries({ what: `The demo's subscriber of ${topic} waits for the bus`, log, signal })
    while (!signal.aborted) {
      try {
        const messages = await bus.pull(id, { max: 1, waitMs: 30_000, signal })
        retries.succeeded()
        for (const message of messages) await settle(message)
      } catch (fault) {
        await retries.failed(fault)
      }
    }
  }

  async function settle(message: Delivery): Promise<void> {
    try {
      await handle(message)
      await bus.ack(id, [message.ack])
    } catch (fault) {
      const reason = messageOf(fault)
      if (!signal.aborted) log.error(`[Broker] Erreur dans le handler: ${reason}`)
      await bus.nack(id, [message.ack], { reason, ...(signal.aborted && { delayMs: 0 }) })
    }
  }

  const running = run()
  ctx.defer(() => running)
}
