import { randomUUIDv7 } from 'node:crypto'
import { afterAll, describe, expect, it } from 'vitest'
import { OrderService } from '../../src/roles/order/testing/order-service.ts'
import { startPostgres, UNSYNCED } from '../servers/postgres.ts'
import { isHere } from '../servers/programs.ts'

const server = isHere('postgres') ? await startPostgres({ config: UNSYNCED }) : undefined
afterAll(() => server?.[Symbol.asyncDispose]())

describe.skipIf(!server)('orders on PostgreSQL', () => {
  it('are paid or refunding, never cancelled and paid, when both are said of each at once', async () => {
    await using service = await OrderService.open({ url: server?.url ?? '' })
    const placed = await Promise.all(Array.from({ length: 60 }, () => service.place()))
    const told = new Map<number, number>()
    const pay = ({ id, user_id, total_price }: (typeof placed)[number]) =>
      service.deliver(`payment of ${id}`, {
        order_id: id,
        user_id,
        payment_id: randomUUIDv7(),
        status: 'success',
        amount: total_price,
        currency: 'EUR',
      })
    await Promise.all(
      placed.flatMap((order) => [
        pay(order),
        service.call('DELETE', `/api/orders/${order.id}`).then(({ status }) => told.set(order.id, status)),
      ]),
    )
    for (const { id } of placed) {
      const { body } = await service.call('GET', `/api/orders/${id}`)
      expect({ id, status: body.status }).toEqual({ id, status: told.get(id) === 204 ? 'refunding' : 'paid' })
    }
    const cancelled = [...told].flatMap(([id, status]) => (status === 204 ? [id] : []))
    const events = await service.events()
    for (const type of ['order.cancelled', 'order.refunding']) {
      const ids = events.filter((event) => event.type === type).map(({ data }) => Object(data).order_id)
      expect(ids.toSorted()).toEqual(cancelled.toSorted())
    }
  })
})
