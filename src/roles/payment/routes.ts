import { Hono } from 'hono'
import * as z from 'zod'
import { viewOf } from '../../kit/auth/ownership.ts'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { Limit, NumericId, page } from '../../kit/http/paging.ts'
import { route } from '../../kit/http/route.ts'
import { currentScope } from '../../kit/telemetry/scope.ts'
import { Payment } from './contract.ts'
import type { Payments } from './payments.ts'

const PaymentId = z.uuid().toLowerCase()
const ListQuery = z.object({ order_id: NumericId.optional(), limit: Limit, after: PaymentId.optional() })

/** The payment service's HTTP API (design §5). */
export function paymentRoutes(payments: Payments): Hono<AppEnv> {
  const app = new Hono<AppEnv>()
  const view = () => viewOf(currentScope()?.asker, 'payments')

  app.get(
    '/api/payments',
    route({ summary: 'List payments', scope: 'payments:read', query: ListQuery, responses: { 200: z.array(Payment) } }),
    async (c) => {
      const { limit, after, order_id: orderId } = c.req.valid('query')
      return c.json(page(c, await payments.list({ limit: limit + 1, after, orderId, view: view() }), limit))
    },
  )

  app.get(
    '/api/payments/:id',
    route({
      summary: 'Show a payment',
      scope: 'payments:read',
      params: z.object({ id: PaymentId }),
      invalid: 'Invalid payment ID',
      responses: { 200: Payment, 404: 'Payment not found' },
    }),
    async (c) => c.json(await payments.find(c.req.valid('param').id, view())),
  )

  return app
}
