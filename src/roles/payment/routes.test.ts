import { randomUUIDv7 } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Hono } from 'hono'
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Store } from '../../drivers/store/contract.ts'
import { sqlite } from '../../drivers/store/sqlite.ts'
import { queryPlans } from '../../drivers/store/testing/query-plans.ts'
import { type Asker, LOCAL, NOBODY } from '../../kit/auth/asker.ts'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { authContext } from '../../kit/messaging/auth-context.ts'
import type { IncomingEvent } from '../../kit/messaging/messaging.ts'
import { createOutbox } from '../../kit/messaging/outbox.ts'
import { errors } from '../../kit/middleware/errors.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import { runInScope, type Scope } from '../../kit/telemetry/scope.ts'
import { silentLog } from '../../kit/telemetry/testing/recorded-log.ts'
import { type Cancellations, createCancellations } from './cancellations.ts'
import { type PaymentTables, paymentMigrations } from './payment-tables.ts'
import { createPayments, type Payments, type PaymentsOptions } from './payments.ts'
import { paymentRoutes } from './routes.ts'

const SCOPE: Scope = {
  span: { traceId: '', spanId: '', sampled: false, setAttribute() {}, rename() {}, end() {} },
  requestId: '',
}
const alice: Asker = { is: 'user', subject: 'alice', scopes: new Set() }
const clock = { now: () => Date.parse('2026-12-01T12:00:00Z'), monotonic: () => 0 }

describe('payment service', () => {
  let folder: string
  let store: Store<PaymentTables>
  let options: PaymentsOptions
  let payments: Payments
  let cancellations: Cancellations
  let app: Hono<AppEnv>
  let warnings: string[]

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'msvc-payment-'))
    const migrations = paymentMigrations
    store = await sqlite.open<PaymentTables>({ url: 'sqlite:', name: 'payment-service', folder, migrations })
    warnings = []
    const note = (message: string) => void warnings.push(message)
    const log: Log = { debug() {}, info() {}, warning: note, error: note, critical: note }
    const outbox = createOutbox<PaymentTables>({ store, service: 'payment-service', clock })
    cancellations = createCancellations({ store, outbox, clock, log })
    options = { store, outbox, cancellations, clock, log, limitCents: () => 1_000_000 }
    payments = createPayments(options)
    app = paymentRoutes(payments)
    errors(app, silentLog)
  })
  afterEach(async () => {
    await store.close()
    await rm(folder, { recursive: true })
  })

  const message = (id: string, topic: string, payload: unknown, attributes = {}) =>
    ({ id, topic, payload, timestamp: '', delivery: 1, attributes }) satisfies IncomingEvent
  const deliver = (id: string, payload: unknown, attributes: Readonly<Record<string, string>> = {}) =>
    payments.orderCreated(message(id, 'order.created', payload, attributes))
  const cancel = (id: string, payload: unknown) => cancellations.orderCancelled(message(id, 'order.cancelled', payload))
  const refund = (id: string, payload: unknown) => cancellations.orderRefunding(message(id, 'order.refunding', payload))

  const order = (order_id: number, total_price = 29.99) => ({
    order_id,
    user_id: 1,
    product_name: 'Laptop',
    quantity: 1,
    total_price,
  })

  async function get(path: string, asker: Asker = LOCAL) {
    const answer = await runInScope({ ...SCOPE, asker }, () => app.request(path))
    return { status: answer.status, headers: answer.headers, body: JSON.parse(await answer.text()) }
  }

  async function events() {
    const rows = await store.db.selectFrom('outbox').select('event').orderBy('position').execute()
    return rows.map(({ event }) => JSON.parse(event))
  }

  it('shows a person the payments of his own orders only, and nobody none', async () => {
    await deliver('event-1', order(7), authContext(alice))
    await deliver('event-2', order(8))
    // those of one millisecond are in no order
    const orders = async (asker?: Asker) =>
      (await get('/api/payments', asker)).body.map(({ order_id }: { order_id: number }) => order_id).toSorted()
    expect(await orders()).toEqual([7, 8])
    expect(await orders(alice)).toEqual([7])
    expect(await orders({ ...alice, subject: 'bob' })).toEqual([])
    expect(await orders({ ...alice, subject: 'root', scopes: new Set(['admin']) })).toEqual([7, 8])
    expect(await orders({ is: 'service', subject: 'shop-service', scopes: new Set(['payments:read']) })).toEqual([7, 8])
    expect(await orders(NOBODY)).toEqual([])
    const [{ id }] = (await get('/api/payments?order_id=7')).body
    expect((await get(`/api/payments/${id}`, alice)).status).toBe(200)
    expect((await get(`/api/payments/${id}`, NOBODY)).status).toBe(404)
    expect((await get(`/api/payments/${id}`, { ...alice, subject: 'bob' })).status).toBe(404)
  })

  it('charges an order and tells of it', async () => {
    await deliver('event-1', order(7))
    const [payment] = (await get('/api/payments')).body
    expect(payment).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/),
      order_id: 7,
      user_id: 1,
      amount: 29.99,
      status: 'success',
      created_at: '2026-12-01T12:00:00.000Z',
    })
    expect((await get(`/api/payments/${payment.id}`)).body).toEqual(payment)
    const data = { order_id: 7, payment_id: payment.id, status: 'success', amount: 29.99 }
    expect(await events()).toMatchObject([{ type: 'payment.processed', data }])
  })

  it.each(['EUR', 'USD', undefined])('tells what was charged in the currency of the order: %s', async (currency) => {
    await deliver('event-1', { ...order(7), currency })
    const [{ data }] = await events()
    expect(data.currency).toBe(currency)
  })

  it('fails what is dearer than the limit, and says why', async () => {
    await deliver('event-1', order(1, 10_000))
    await deliver('event-2', order(2, 10_000.01))
    const [cheap, dear] = [await get('/api/payments?order_id=1'), await get('/api/payments?order_id=2')]
    expect([...cheap.body, ...dear.body]).toMatchObject([
      { status: 'success' },
      { status: 'failed', amount: 10_000.01, reason: '10 000.01 is over the limit of 10 000.00' },
    ])
    expect((await events()).map(({ data }) => [data.status, data.reason])).toEqual([
      ['success', undefined],
      ['failed', '10 000.01 is over the limit of 10 000.00'],
    ])
    expect(warnings).toEqual(['Order 2 is not charged: 10 000.01 is over the limit of 10 000.00'])
  })

  it('charges once, however often the event comes, and under whatever id', async () => {
    await Promise.all([deliver('event-1', order(7)), deliver('event-1', order(7)), deliver('event-2', order(7, 5))])
    await deliver('event-1', order(7))
    expect((await get('/api/payments')).body).toMatchObject([{ amount: 29.99 }])
    expect(await events()).toHaveLength(1)
    expect(warnings).toEqual([expect.stringContaining('Order 7 was charged before')])
  })

  it('goes by the order, not by its number, which a restored database gives out again', async () => {
    const [before, after] = [randomUUIDv7(), randomUUIDv7()]
    await deliver('event-1', { ...order(7), order_uuid: before })
    await deliver('event-2', { ...order(7), order_uuid: after })
    await deliver('event-3', { ...order(7), order_uuid: after })
    expect((await events()).map(({ data }) => data.order_uuid)).toEqual([before, after])
    expect(warnings).toEqual([expect.stringContaining("The order id 7 was another order's before")])
    await deliver('event-4', { ...order(7), order_uuid: after, user_id: 2 })
    expect(warnings[1]).toContain('Order 7 was charged before')
    expect(await events()).toHaveLength(2)
  })

  it('knows payments from before orders had more than a number', async () => {
    const before27 = Object.entries(paymentMigrations).filter(([name]) => name < '2026-11-27-order-keys')
    const earlier = Object.fromEntries(before27)
    const old = { url: 'sqlite:', name: 'old', folder, migrations: earlier }
    const before = await sqlite.open<PaymentTables>(old)
    await before.transaction((trx) =>
      sql`insert into payments (id, order_id, user_id, amount_cents, status, created_at)
        values ('p1', 7, 1, 2999, 'success', '')`.execute(trx),
    )
    await before.close()
    const upgraded = await sqlite.open<PaymentTables>({ ...old, migrations: paymentMigrations })
    const outbox = createOutbox<PaymentTables>({ store: upgraded, service: 'payment-service', clock })
    const payment = createPayments({ ...options, store: upgraded, outbox })
    const event = { topic: 'order.created', timestamp: '', delivery: 1, attributes: {} }
    await payment.orderCreated({ id: 'event-1', payload: order(7), ...event })
    await payment.orderCreated({ id: 'event-2', payload: { ...order(7), order_uuid: randomUUIDv7() }, ...event })
    const kept = await upgraded.db.selectFrom('payments').select('id').orderBy('created_at').execute()
    await upgraded.close()
    expect(kept).toEqual([{ id: 'p1' }, { id: expect.any(String) }])
  })

  it.each([
    { user_id: 1 },
    { user_id: 1, product: 'Laptop' },
    'order',
    null,
    { ...order(1), order_id: '1' },
    { ...order(1), total_price: -1 },
    { ...order(1), total_price: 1e300 },
    { ...order(1), currency: 'euro' },
  ])('says why it refuses the message %j, which is no order', async (payload) => {
    await expect(deliver('event-1', payload)).rejects.toMatchObject({
      code: 'UNPROCESSABLE',
      message: expect.stringMatching(/^A message on order\.created is not an order: \w+: ./),
    })
    expect((await get('/api/payments')).body).toEqual([])
    expect(await events()).toEqual([])
  })

  it('charges no part of a cent', async () => {
    await expect(deliver('event-1', order(1, 0.001))).rejects.toThrow('0.001')
    expect([(await get('/api/payments')).body, await events()]).toEqual([[], []])
  })

  it('charges no order that is cancelled, though its cancellation came first', async () => {
    await cancel('event-1', { order_id: 7, user_id: 1 })
    await cancel('event-1', { order_id: 7, user_id: 1 })
    await deliver('event-2', order(7))
    await deliver('event-3', order(8))
    expect((await get('/api/payments')).body).toMatchObject([{ order_id: 8 }])
    expect(await events()).toMatchObject([{ data: { order_id: 8 } }])
  })

  it('gives a payment back, and tells of it, once', async () => {
    await deliver('event-1', { ...order(7), currency: 'USD' })
    await cancel('event-2', { order_id: 7, user_id: 1 })
    const [{ id: payment_id }] = (await get('/api/payments')).body
    const wanted = { order_id: 7, payment_id, amount: 29.99, currency: 'USD' }
    await Promise.all([refund('event-3', wanted), refund('event-3', wanted), refund('event-4', wanted)])
    expect((await get('/api/payments')).body).toMatchObject([{ id: payment_id, status: 'refunded', amount: 29.99 }])
    expect(await events()).toMatchObject([
      { type: 'payment.processed', data: { status: 'success' } },
      { type: 'payment.refunded', data: wanted },
    ])
    await deliver('event-5', order(7))
    expect((await get('/api/payments')).body).toMatchObject([{ status: 'refunded' }])
  })

  it('gives nothing back that was not charged', async () => {
    await deliver('event-1', order(7, 20_000))
    const [{ id }] = (await get('/api/payments')).body
    const wanted = { order_id: 7, payment_id: id, amount: 20_000, currency: 'EUR' }
    await expect(refund('event-2', wanted)).rejects.toMatchObject({ code: 'UNPROCESSABLE' })
    await expect(refund('event-3', { ...wanted, order_id: 8 })).rejects.toThrow('order 8')
    await expect(refund('event-4', { order_id: 7 })).rejects.toThrow('payment_id')
    await expect(cancel('event-5', { user_id: 1 })).rejects.toThrow('order_id')
    expect(await events()).toHaveLength(1)
  })

  it('finds by order, and pages', async () => {
    for (let id = 1; id <= 5; id++) await deliver(`event-${id}`, order(id))
    expect((await get('/api/payments?order_id=3')).body).toMatchObject([{ order_id: 3 }])
    expect((await get('/api/payments?order_id=9')).body).toEqual([])
    const first = await get('/api/payments?limit=3')
    const next = /^<([^>]+)>; rel="next"$/.exec(first.headers.get('link') ?? '')?.[1] ?? ''
    const second = await get(next)
    const shown: number[] = [...first.body, ...second.body].map(({ order_id }) => order_id)
    expect(shown.sort()).toEqual([1, 2, 3, 4, 5])
    expect(second.headers.get('link')).toBeNull()
  })

  it.each([
    ['', LOCAL, 'INDEX sqlite_autoindex_payments_1 (id>?)'],
    ['?order_id=7', LOCAL, 'INDEX payments_order (order_id=? AND id>?)'],
    ['', alice, 'INDEX payments_owner (owner=? AND id>?)'],
    ['?order_id=7', alice, 'INDEX payments_order (order_id=? AND id>?)'],
  ] as const)('reads for /api/payments%s by %j no payments but those of the page', async (query, asker, index) => {
    const explained = queryPlans(store)
    const list = paymentRoutes(createPayments({ ...options, store: explained.store }))
    await runInScope({ ...SCOPE, asker }, () => list.request(`/api/payments${query}`))
    expect(explained.plans).toEqual([`SEARCH payments USING ${index}`])
  })

  it('refuses ids that are none, and knows what it does not have', async () => {
    expect(await get('/api/payments/1')).toMatchObject({ status: 400, body: { error: 'Invalid payment ID' } })
    const unknown = await get('/api/payments/0193a5b2-0000-7000-8000-000000000001')
    expect(unknown).toMatchObject({ status: 404, body: { error: 'Payment not found' } })
    for (const query of ['order_id=0', 'limit=x', 'after=1'])
      expect((await get(`/api/payments?${query}`)).status).toBe(400)
  })
})
