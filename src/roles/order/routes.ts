import { Hono } from 'hono'
import * as z from 'zod'
import { viewOf } from '../../kit/auth/ownership.ts'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { Limit, NumericId, page } from '../../kit/http/paging.ts'
import { route } from '../../kit/http/route.ts'
import { currentScope } from '../../kit/telemetry/scope.ts'
import { NewOrder, Order, OrderStatus } from './contract.ts'
import { parseIdempotencyKey } from './idempotency.ts'
import type { Orders } from './orders.ts'
import { placerOf } from './ownership.ts'
import type { PlaceOrder } from './placing.ts'

const ListQuery = z.object({
  user_id: NumericId.optional(),
  status: OrderStatus.optional(),
  limit: Limit,
  after: NumericId.optional(),
})
const OrderId = z.object({ id: NumericId })
const INVALID_ORDER = 'Invalid order data'
const INVALID_ID = 'Invalid order ID'

/** The order service's HTTP API (design §5; seed 9.7.3). */
export function orderRoutes(orders: Orders, placeOrder: PlaceOrder): Hono<AppEnv> {
  const app = new Hono<AppEnv>()
  const view = () => viewOf(currentScope()?.asker, 'orders')

  app.post(
    '/api/orders',
    route({
      summary: 'Place an order; an Idempotency-Key makes it safe to repeat',
      scope: 'orders:write',
      body: NewOrder,
      invalid: INVALID_ORDER,
      responses: {
        201: Order,
        400: INVALID_ORDER,
        401: 'Who asks is nobody',
        404: 'User not found',
        422: 'The Idempotency-Key was used for another order',
      },
    }),
    async (c) => {
      const key = parseIdempotencyKey(c.req.header('idempotency-key'))
      const { order, replayed } = await placeOrder(c.req.valid('json'), placerOf(currentScope()?.asker), key)
      const location = `/api/orders/${order.id}`
      return c.json(order, 201, replayed ? { location, 'idempotency-replayed': 'true' } : { location })
    },
  )

  app.get(
    '/api/orders',
    route({ summary: 'List orders', scope: 'orders:read', query: ListQuery, responses: { 200: z.array(Order) } }),
    async (c) => {
      const { user_id: userId, status, limit, after } = c.req.valid('query')
      return c.json(page(c, await orders.list({ limit: limit + 1, after, userId, status }, view()), limit))
    },
  )

  app.get(
    '/api/orders/:id',
    route({
      summary: 'Show an order',
      scope: 'orders:read',
      params: OrderId,
      invalid: INVALID_ID,
      responses: { 200: Order, 404: 'Order not found' },
    }),
    async (c) => c.json(await orders.find(c.req.valid('param').id, view())),
  )

  app.delete(
    '/api/orders/:id',
    route({
      summary: 'Cancel an order; what is charged for it meanwhile goes back by itself',
      scope: 'orders:write',
      params: OrderId,
      invalid: INVALID_ID,
      responses: { 204: 'Cancelled', 404: 'Order not found', 409: 'The order is paid, or its payment failed' },
    }),
    async (c) => {
      await orders.cancel(c.req.valid('param').id, view())
      return c.body(null, 204)
    },
  )

  return app
}
