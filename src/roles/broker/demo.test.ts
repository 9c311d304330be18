import { describe, expect, it, vi } from 'vitest'
import type { RoleContext } from '../../kit/context.ts'
import { brokerDemo } from './demo.ts'
import { type RunOptions, runBroker } from './testing/running-broker.ts'

const start: NonNullable<RunOptions['start']> = (ctx) =>
  brokerDemo.start({ ...ctx, config: { payment_delay: 0 } } as unknown as RoleContext<unknown>)

describe('broker-demo', () => {
  it("prints the seed's choreography (9.7.12) when an order is published", async () => {
    await using broker = await runBroker({ start })
    expect(broker.lines).toEqual([
      'Démarrage des services asynchrones...',
      '[Broker] Abonnement créé pour payment.processed',
      '[Broker] Abonnement créé pour order.created',
    ])
    await broker.call('POST', '/broker/publish/order.created', '{"user_id":1,"product":"Laptop"}')
    const paid = '[OrderService] Paiement traité: {"status": "success", "order_id": "123"}'
    await vi.waitUntil(() => broker.lines.includes(paid), { timeout: 20_000 })
    expect(broker.lines.slice(3).filter((line) => line.startsWith('['))).toEqual([
      '[OrderService] Création commande: User=1, Product=Laptop',
      '[Broker] Message publié sur order.created',
      '[PaymentService] Traitement paiement pour: {"user_id":1,"product":"Laptop"}',
      '[Broker] Message publié sur payment.processed',
      paid,
    ])
  })

  it("says what the seed's broker says of subscriptions", async () => {
    await using broker = await runBroker({ start })
    const { body } = await broker.call('POST', '/broker/subscriptions', { topic: 'a' })
    await broker.call('DELETE', `/broker/subscriptions/${body.id}`)
    expect(broker.lines.slice(3)).toEqual([
      '[Broker] Abonnement créé pour a',
      `[Broker] Désabonnement effectué: ${body.id}`,
    ])
  })

  it('is the broker, besides', () => {
    expect(brokerDemo).toMatchObject({ name: 'broker-demo', service: 'broker', port: 8300, inUp: false })
    expect(brokerDemo.config.parse({})).toEqual({ payment_delay: 1 })
  })
})
