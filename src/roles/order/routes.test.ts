import { randomUUIDv7 } from 'node:crypto'
import fc from 'fast-check'
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import * as z from 'zod'
import { type Asker, NOBODY } from '../../kit/auth/asker.ts'
import { AppError } from '../../kit/errors.ts'
import { OrderService } from './testing/order-service.ts'

const as = (is: 'user' | 'service', subject: string, ...scopes: string[]) => ({ is, subject, scopes: new Set(scopes) })
const person = (subject: string, ...scopes: string[]) => as('user', subject, ...scopes)
const alice = person('alice')
const bob = person('bob')

const PAYMENT = '0193a5b2-0000-7000-8000-000000000001'
const paid = (order_id: number, status = 'success') => ({ order_id, payment_id: PAYMENT, status, amount: 29.99 })

describe('order service', () => {
  let service: OrderService
  beforeEach(async () => {
    service = await OrderService.open()
  })
  afterEach(() => service[Symbol.asyncDispose]())

  it('places an order and tells of it, in one transaction', async () => {
    const body = { user_id: 1, product_name: 'Mouse', quantity: 3, total_price: 0.01, status: 'paid', owner: 'root' }
    const answer = await service.call('POST', '/api/orders', { body })
    expect(answer.status).toBe(201)
    expect(answer.headers.get('location')).toBe('/api/orders/1')
    const order = { user_id: 1, product_name: 'Mouse', quantity: 3, total_price: 89.97 }
    expect(answer.body).toEqual({ id: 1, ...order, status: 'pending', created_at: '2026-12-01T12:00:00.000Z' })
    expect((await service.call('GET', '/api/orders/1')).body).toEqual(answer.body)
    const data = { order_id: 1, ...order, currency: 'EUR' }
    expect(await service.events()).toMatchObject([{ type: 'order.created', data }])
  })

  it('prices by config, and by the config server before it', async () => {
    expect((await service.place({ product_name: 'Laptop', quantity: 2 })).total_price).toBe(1999.8)
    expect((await service.place({ product_name: '__proto__' })).total_price).toBe(29.99)
    expect((await service.place({ product_name: 'constructor' })).total_price).toBe(29.99)
    service.remote = { default_price: 5, prices: { Laptop: 1.5, Desk: 'free', Lamp: -1 } }
    expect((await service.place({ product_name: 'Laptop' })).total_price).toBe(1.5)
    expect((await service.place({ product_name: 'Desk' })).total_price).toBe(5)
    expect((await service.place({ product_name: 'Lamp' })).total_price).toBe(5)
    service.remote = { default_price: 1_000_000 }
    expect((await service.place({ quantity: 1_000_000 })).total_price).toBe(1_000_000_000_000)
  })

  it.each([
    '{}',
    '{"user_id":0,"product_name":"x","quantity":1}',
    '{"user_id":1,"product_name":"","quantity":1}',
    '{"user_id":1,"product_name":"x","quantity":0}',
    '{"user_id":1,"product_name":"x","quantity":-1}',
    '{"user_id":1,"product_name":"x","quantity":1.5}',
    '{"user_id":1,"product_name":"x","quantity":1e9}',
    '{"user_id":"1","product_name":"x","quantity":1}',
    '{"user_id":9007199254740993,"product_name":"x","quantity":1}',
    '{"user_id":1,"product_name":"a\\r\\nb","quantity":1}',
    `{"user_id":1,"product_name":"${'x'.repeat(201)}","quantity":1}`,
    '[1]',
    'null',
  ])('refuses %s', async (body) => {
    expect(await service.call('POST', '/api/orders', { body })).toMatchObject({
      status: 400,
      body: { error: 'Invalid order data' },
    })
    expect(service.asked).toBe(0)
  })

  it('asks user-service who orders', async () => {
    const order = { product_name: 'x', quantity: 1 }
    expect(await service.call('POST', '/api/orders', { body: { user_id: 10, ...order } })).toMatchObject({
      status: 404,
      body: { error: 'User not found' },
    })
    service.users = () => Promise.reject(new AppError('UNREACHABLE', 'No user-service is known'))
    expect((await service.call('POST', '/api/orders', { body: { user_id: 1, ...order } })).status).toBe(503)
    service.users = () => Promise.reject(new AppError('UNAUTHENTICATED', 'who are you?'))
    expect((await service.call('POST', '/api/orders', { body: { user_id: 1, ...order } })).status).toBe(502)
    expect(await service.events()).toEqual([])
  })

  it('shows a person only his own orders, and an admin all', async () => {
    const his = await service.place({}, { asker: alice })
    await service.place({}, { asker: bob })
    const nobodys = await service.place()
    const ids = async (asker?: Asker) =>
      (await service.call('GET', '/api/orders', asker && { asker })).body.map(({ id }: { id: number }) => id)
    expect(await ids(alice)).toEqual([1])
    expect(await ids(bob)).toEqual([2])
    expect(await ids(person('carol'))).toEqual([])
    expect(await ids(person('root', 'admin'))).toEqual([1, 2, 3])
    expect(await ids()).toEqual([1, 2, 3])
    expect(await ids(as('service', 'shop-service', 'orders:read'))).toEqual([1, 2, 3])
    expect(await ids(as('service', 'shop-service'))).toEqual([])
    expect(await ids(NOBODY)).toEqual([])

    const problem = { status: 404, body: { error: 'Order not found' } }
    expect(await service.call('GET', `/api/orders/${his.id}`, { asker: bob })).toMatchObject(problem)
    expect(await service.call('DELETE', `/api/orders/${his.id}`, { asker: bob })).toMatchObject(problem)
    expect(await service.call('GET', `/api/orders/${nobodys.id}`, { asker: bob })).toMatchObject(problem)
    expect(await service.call('GET', `/api/orders/${his.id}`, { asker: alice })).toMatchObject({ status: 200 })
    for (const method of ['GET', 'DELETE'])
      for (const order of [his, nobodys])
        expect(await service.call(method, `/api/orders/${order.id}`, { asker: NOBODY })).toMatchObject(problem)
    expect(JSON.stringify(his)).not.toContain('alice')
  })

  it('takes no order of nobody', async () => {
    const body = { user_id: 1, product_name: 'Mouse', quantity: 1 }
    const answer = await service.call('POST', '/api/orders', { body, asker: NOBODY, key: 'k1' })
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    expect([service.asked, await service.events()]).toEqual([0, []])
  })

  it('filters and pages', async () => {
    for (const user_id of [1, 2, 1, 1]) await service.place({ user_id })
    await service.call('DELETE', '/api/orders/3')
    const list = async (query: string) => (await service.call('GET', `/api/orders?${query}`)).body
    expect(await list('user_id=1')).toMatchObject([{ id: 1 }, { id: 3 }, { id: 4 }])
    expect(await list('user_id=1&status=pending')).toMatchObject([{ id: 1 }, { id: 4 }])
    expect(await list('user_id=9')).toEqual([])
    const first = await service.call('GET', '/api/orders?user_id=1&limit=2')
    expect(first.headers.get('link')).toBe('</api/orders?user_id=1&limit=2&after=3>; rel="next"')
    expect(await list('user_id=1&limit=2&after=3')).toMatchObject([{ id: 4 }])
    for (const query of ['user_id=x', 'status=done', 'limit=0', 'after=-1']) {
      expect((await service.call('GET', `/api/orders?${query}`)).status).toBe(400)
    }
  })

  it('cancels what is pending, once or twice', async () => {
    for (let id = 1; id <= 3; id++) await service.place()
    await service.deliver('event-1', paid(2))
    await service.deliver('event-2', paid(3, 'failed'))
    expect((await service.call('DELETE', '/api/orders/1')).status).toBe(204)
    expect((await service.call('DELETE', '/api/orders/1')).status).toBe(204)
    expect((await service.call('GET', '/api/orders/1')).body.status).toBe('cancelled')
    expect(await service.call('DELETE', '/api/orders/2')).toMatchObject({ status: 409, body: { code: 'CONFLICT' } })
    expect((await service.call('DELETE', '/api/orders/3')).status).toBe(409)
    expect((await service.call('DELETE', '/api/orders/99')).status).toBe(404)
    expect((await service.call('DELETE', '/api/orders/x')).body.error).toBe('Invalid order ID')
  })

  it('notes a payment once, however often its event comes', async () => {
    await service.place()
    for (let delivery = 0; delivery < 3; delivery++) await service.deliver('event-1', paid(1))
    await service.deliver('event-2', paid(1, 'failed'))
    expect((await service.call('GET', '/api/orders/1')).body.status).toBe('paid')
  })

  it('tells its orders apart by what no restored database gives out again', async () => {
    await service.place()
    await service.place({ quantity: 2 })
    const [first, second] = await service.events()
    const uuids = [first, second].map((event) => z.object({ order_uuid: z.uuid() }).parse(event?.data).order_uuid)
    expect([first?.id, second?.id]).toEqual(uuids)
    expect(new Set(uuids).size).toBe(2)
    const another = service.deliver('event-1', { ...paid(1), order_uuid: randomUUIDv7() })
    await expect(another).rejects.toThrow('another order that had the id 1')
    expect((await service.call('GET', '/api/orders/1')).body.status).toBe('pending')
    await service.deliver('event-2', { ...paid(1), order_uuid: uuids[0] })
    expect((await service.call('GET', '/api/orders/1')).body.status).toBe('paid')
  })

  it.each([
    { amount: 0.01 },
    { amount: 0 },
    { amount: -29.99 },
    { amount: 29.990001 },
    { amount: 2999 },
    { amount: 1e308 },
    { amount: Number.NaN },
    { amount: '29.99' },
    { currency: 'USD' },
    { currency: 'eur' },
    { currency: '' },
    { amount: 0.01, status: 'failed' },
  ])('believes no payment that is not its own price: %j', async (forged) => {
    await service.place()
    await expect(service.deliver('event-1', { ...paid(1), ...forged })).rejects.toMatchObject({ code: 'UNPROCESSABLE' })
    expect((await service.call('GET', '/api/orders/1')).body.status).toBe('pending')
    await service.deliver('event-2', { ...paid(1), currency: 'EUR' })
    expect((await service.call('GET', '/api/orders/1')).body.status).toBe('paid')
  })

  it('tells what its prices are in, and believes no payment in anything else', async () => {
    await using american = await OrderService.open({ currency: 'USD' })
    await american.place()
    expect(await american.events()).toMatchObject([{ data: { currency: 'USD' } }])
    const foreign = american.deliver('event-1', { ...paid(1), currency: 'EUR' })
    await expect(foreign).rejects.toThrow("29.99 EUR is not order 1's 29.99 USD")
    expect((await american.call('GET', '/api/orders/1')).body.status).toBe('pending')
    await american.deliver('event-2', { ...paid(1), currency: 'USD' })
    expect((await american.call('GET', '/api/orders/1')).body.status).toBe('paid')
  })

  it('says why a payment failed, and answers a repeated request as the first', async () => {
    await service.place({}, { key: 'k1' })
    const reason = '1 500.00 is over the limit of 1 000.00'
    await service.deliver('event-1', { ...paid(1, 'failed'), reason })
    const failed = { status: 'payment_failed', reason }
    expect((await service.call('GET', '/api/orders/1')).body).toMatchObject(failed)
    expect((await service.call('GET', '/api/orders')).body).toMatchObject([failed])
    expect(service.logged).toEqual([`The payment of order 1 failed: ${reason}`])
    expect(await service.place({}, { key: 'k1' })).not.toHaveProperty('reason')
    await service.place()
    await service.deliver('event-2', paid(2, 'failed'))
    expect((await service.call('GET', '/api/orders/2')).body).not.toHaveProperty('reason')
  })

  it('tells of a cancellation once, with whose order it is', async () => {
    await service.place({}, { asker: alice })
    for (let time = 0; time < 3; time++) await service.call('DELETE', '/api/orders/1', { asker: alice })
    const [, ...after] = await service.events()
    expect(after).toEqual([
      expect.objectContaining({
        type: 'order.cancelled',
        data: { order_id: 1, order_uuid: expect.any(String), user_id: 1 },
        authid: 'alice',
      }),
    ])
  })

  it('asks for the money of a cancelled order that was charged, and notes that it is back, each once', async () => {
    await service.place()
    await service.call('DELETE', '/api/orders/1')
    const status = async () => (await service.call('GET', '/api/orders/1')).body.status
    for (const event of ['event-1', 'event-1', 'event-2']) await service.deliver(event, paid(1))
    expect(await status()).toBe('refunding')
    const back = { order_id: 1, payment_id: PAYMENT, amount: 29.99, currency: 'EUR' }
    expect((await service.events()).slice(2)).toMatchObject([{ type: 'order.refunding', data: back }])
    for (const event of ['event-3', 'event-3', 'event-4']) await service.refund(event, back)
    expect(await status()).toBe('refunded')
    expect((await service.call('DELETE', '/api/orders/1')).status).toBe(204)
    expect(await service.events()).toHaveLength(3)
    expect((await service.call('GET', '/api/orders?status=refunded')).body).toMatchObject([{ id: 1 }])
  })

  it('leaves a cancelled order alone whose payment failed', async () => {
    await service.place()
    await service.call('DELETE', '/api/orders/1')
    await service.deliver('event-1', paid(1, 'failed'))
    expect((await service.call('GET', '/api/orders/1')).body.status).toBe('cancelled')
    expect(await service.events()).toHaveLength(2)
  })

  it.each([{}, { amount: 0.01 }, { currency: 'USD' }, { order_id: 77 }, { payment_id: 'p' }])(
    'believes no refund that it waits for none of: %j',
    async (forged) => {
      await service.place()
      await service.deliver('event-1', paid(1))
      const back = { order_id: 1, payment_id: PAYMENT, amount: 29.99, ...forged }
      await expect(service.refund('event-2', back)).rejects.toMatchObject({ code: 'UNPROCESSABLE' })
      expect((await service.call('GET', '/api/orders/1')).body.status).toBe('paid')
    },
  )

  it.each([
    [{ status: 'success', order_id: '123' }, 'payment.processed is not a payment: order_id: '],
    ['text', 'payload: '],
    [null, 'payload: '],
    [paid(77), 'order 77, which is not here'],
  ])('says why it refuses the message %j', async (payload, why) => {
    await expect(service.deliver('event-1', payload)).rejects.toThrow(why)
  })

  describe('with an Idempotency-Key', () => {
    it('gives the first answer again, whatever became of the order', async () => {
      const body = { user_id: 1, product_name: 'Mouse', quantity: 1 }
      const first = await service.call('POST', '/api/orders', { body, key: 'k1' })
      await service.deliver('event-1', paid(1))
      service.remote = { default_price: 1 }
      const second = await service.call('POST', '/api/orders', { body, key: 'k1' })
      expect([second.status, second.body]).toEqual([201, first.body])
      expect(second.headers.get('location')).toBe('/api/orders/1')
      expect([first.headers, second.headers].map((headers) => headers.get('idempotency-replayed'))).toEqual([
        null,
        'true',
      ])
      expect(await service.events()).toHaveLength(1)
    })

    it('refuses another order under it, and tells callers apart', async () => {
      await service.place({}, { key: 'k1', asker: alice })
      const body = { user_id: 1, product_name: 'Mouse', quantity: 2 }
      expect(await service.call('POST', '/api/orders', { body, key: 'k1', asker: alice })).toMatchObject({
        status: 422,
      })
      expect((await service.place({}, { key: 'k1', asker: bob })).id).toBe(2)
      expect((await service.place({}, { key: 'k1' })).id).toBe(3)
      expect((await service.place({}, { key: 'k1', asker: as('service', 'alice') })).id).toBe(4)
      expect((await service.place({}, { key: 'k1', asker: person('service alice') })).id).toBe(5)
    })

    it('makes one order of many at once', async () => {
      const orders = await Promise.all(Array.from({ length: 20 }, () => service.place({}, { key: 'k1' })))
      expect(new Set(orders.map(({ id }) => id)).size).toBe(1)
      expect(await service.events()).toHaveLength(1)
    })

    it('forgets it after 24 h and 100 000 orders, not by one of them alone', async () => {
      const DAY_MS = 24 * 3_600_000
      /** As if that many orders had been made meanwhile. */
      const orderUpTo = (id: number) =>
        service.store.transaction((trx) =>
          sql`update sqlite_sequence set seq = ${id} where name = 'orders'`.execute(trx),
        )
      /** Enough for the old ones to be looked at. */
      const placeSome = async (key: string) => {
        for (let at = 0; at < 40; at++) await service.place({}, { key: key + at })
      }
      const first = await service.place({}, { key: 'k' })
      service.now += 25 * 3_600_000
      await placeSome('jump')
      expect((await service.place({}, { key: 'k' })).id).toBe(first.id)
      service.now -= 25 * 3_600_000
      await orderUpTo(200_000)
      await placeSome('many')
      expect((await service.place({}, { key: 'k' })).id).toBe(first.id)
      service.now += DAY_MS
      await placeSome('later')
      expect((await service.place({}, { key: 'k' })).id).toBeGreaterThan(200_000)
    })

    it('keeps no key of an order that failed', async () => {
      const body = { user_id: 10, product_name: 'Mouse', quantity: 1 }
      expect((await service.call('POST', '/api/orders', { body, key: 'k1' })).status).toBe(404)
      service.users = async (id) => ({ id })
      expect((await service.call('POST', '/api/orders', { body, key: 'k1' })).status).toBe(201)
    })

    it.each(['', 'a b', 'ä', 'x'.repeat(256)])('refuses the key %j', async (key) => {
      const body = { user_id: 1, product_name: 'Mouse', quantity: 1 }
      expect((await service.call('POST', '/api/orders', { body, key })).body.error).toBe('Invalid Idempotency-Key')
    })

    it('makes as many orders as there are keys, each answered alike every time', async () => {
      const use = fc.record({
        key: fc.constantFrom('a', 'b', 'c'),
        quantity: fc.constantFrom(1, 2),
        who: fc.constantFrom(alice, bob),
      })
      await fc.assert(
        fc.asyncProperty(fc.array(use, { minLength: 1, maxLength: 12 }), async (uses) => {
          await using other = await OrderService.open()
          const answers = await Promise.all(
            uses.map(async ({ key, quantity, who }) => {
              const body = { user_id: 1, product_name: 'Mouse', quantity }
              const answer = await other.call('POST', '/api/orders', { body, key, asker: who })
              return { key: `${who.subject} ${key}`, quantity, ...answer }
            }),
          )
          const keys = new Set(answers.map(({ key }) => key))
          expect(await other.events()).toHaveLength(keys.size)
          for (const key of keys) {
            const made = answers.filter((answer) => answer.key === key && answer.status === 201)
            expect(new Set(made.map(({ body }) => JSON.stringify(body))).size).toBe(1)
            const refused = answers.filter((answer) => answer.key === key && answer.status === 422)
            expect(refused.every(({ quantity }) => quantity !== made[0]?.quantity)).toBe(true)
          }
        }),
        { numRuns: 15 },
      )
    })
  })
})
