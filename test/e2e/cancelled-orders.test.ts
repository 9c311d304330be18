import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { systemClock as clock } from '../../src/drivers/clock.ts'
import { sqlite } from '../../src/drivers/store/sqlite.ts'
import { createOutbox } from '../../src/kit/messaging/outbox.ts'
import { silentLog as log } from '../../src/kit/telemetry/testing/recorded-log.ts'
import { OrderService } from '../../src/roles/order/testing/order-service.ts'
import { createCancellations } from '../../src/roles/payment/cancellations.ts'
import { paymentMigrations as migrations, type PaymentTables } from '../../src/roles/payment/payment-tables.ts'
import { createPayments } from '../../src/roles/payment/payments.ts'
import { boot } from './boot.ts'

interface Sent {
  readonly id: string
  readonly type: string
  readonly data: { readonly order_id: number }
}

/** Order and payment without a broker: the test carries what their outboxes hold. */
async function services() {
  const folder = await mkdtemp(join(tmpdir(), 'msvc-cancelled-'))
  const orders = await OrderService.open()
  const store = await sqlite.open<PaymentTables>({ url: 'sqlite:', name: 'payment-service', folder, migrations })
  const outbox = createOutbox<PaymentTables>({ store, service: 'payment-service', clock })
  const cancellations = createCancellations({ store, outbox, clock, log })
  const payments = createPayments({ store, outbox, cancellations, clock, log, limitCents: () => 1_000_000 })
  const message = ({ id, type: topic, data: payload }: Sent) =>
    ({ id, topic, payload, timestamp: '', delivery: 1, attributes: {} }) as const
  const handlers: Readonly<Record<string, (sent: Sent) => Promise<void>>> = {
    'order.created': (sent) => payments.orderCreated(message(sent)),
    'order.cancelled': (sent) => cancellations.orderCancelled(message(sent)),
    'order.refunding': (sent) => cancellations.orderRefunding(message(sent)),
    'payment.processed': ({ id, data }) => orders.deliver(id, data),
    'payment.refunded': ({ id, data }) => orders.refund(id, data),
  }
  return {
    orders,
    payments: () => payments.list({ limit: 100, view: { sees: 'all' } }),
    async sent(): Promise<readonly Sent[]> {
      const rows = await store.db.selectFrom('outbox').select('event').execute()
      return [...((await orders.events()) as unknown as Sent[]), ...rows.map(({ event }) => JSON.parse(event))]
    },
    handle: (sent: Sent) => handlers[sent.type]?.(sent),
    async [Symbol.asyncDispose]() {
      await store.close()
      await orders[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
  }
}

describe('a cancelled order', () => {
  // a kill before the commit is a message that comes later, a kill after it one that comes again
  it('is charged to nobody in the end, in whatever order messages come, and how often', async () => {
    const step = fc.record({ cancels: fc.boolean(), pick: fc.nat(50) })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        await using platform = await services()
        for (let id = 1; id <= 3; id++) await platform.orders.place()
        for (const { cancels, pick } of steps) {
          const sent = await platform.sent()
          if (cancels) await platform.orders.call('DELETE', `/api/orders/${(pick % 3) + 1}`)
          else await platform.handle(sent[pick % sent.length] as Sent)
        }
        for (let told = 0; ; ) {
          const sent = await platform.sent()
          for (const each of sent) await platform.handle(each)
          if (sent.length === told) break
          told = sent.length
        }
        const payments = await platform.payments()
        const sent = await platform.sent()
        const { body: orders } = await platform.orders.call('GET', '/api/orders')
        for (const { id, status } of orders) {
          const own = payments.filter(({ order_id }) => order_id === id).map((payment) => payment.status)
          const told = sent.filter(({ data }) => data.order_id === id).map(({ type }) => type)
          const [charged, back] = [own.length > 0, status === 'refunded']
          expect({ status, own }).toEqual({
            status: told.includes('order.cancelled') ? (charged ? 'refunded' : 'cancelled') : 'paid',
            own: back ? ['refunded'] : charged ? ['success'] : [],
          })
          expect(new Set(told).size).toBe(told.length)
          expect(told.includes('order.refunding')).toBe(back)
          expect(told.includes('payment.refunded')).toBe(back)
        }
      }),
      { numRuns: 10 },
    )
  })

  it('is not charged, or gets its money back by itself', async () => {
    await using platform = await boot(['registry', 'broker', 'user', 'order', 'payment'])
    const json = async (role: string, path: string) => (await platform.fetch(role, path)).json()
    const body = JSON.stringify({ user_id: 1, product_name: 'Laptop', quantity: 1 })
    const cancelled = async () => {
      const headers = { 'content-type': 'application/json' }
      const { id } = (await (
        await platform.fetch('order', '/api/orders', { method: 'POST', headers, body })
      ).json()) as {
        id: number
      }
      return (await platform.fetch('order', `/api/orders/${id}`, { method: 'DELETE' })).status === 204 ? [id] : []
    }
    const ids = (await Promise.all(Array.from({ length: 20 }, cancelled))).flat()
    expect(ids).not.toEqual([])
    const open = async () => {
      const states = await Promise.all(
        ids.map(async (id) => {
          const { status } = (await json('order', `/api/orders/${id}`)) as { status: string }
          const payments = (await json('payment', `/api/payments?order_id=${id}`)) as { status: string }[]
          return `${status} ${payments.map((payment) => payment.status)}`.trim()
        }),
      )
      return states.filter((state) => state !== 'cancelled' && state !== 'refunded refunded')
    }
    await expect.poll(open).toEqual([])
  })
})
