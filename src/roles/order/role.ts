import { OUTBOX_LEASES } from '../../kit/messaging/outbox.ts'
import { defineRole } from '../../kit/role.ts'
import { PAYMENT_PROCESSED, PAYMENT_REFUNDED } from '../payment/contract.ts'
import { USER_SERVICE } from '../user/contract.ts'
import { ORDER_SERVICE } from './contract.ts'
import { type OrderTables, orderMigrations } from './order-tables.ts'
import { createOrders } from './orders.ts'
import { checkOverdue, Patience } from './overdue.ts'
import { createPaymentResults } from './payment-results.ts'
import { createPlacing } from './placing.ts'
import { createPrices, LivePrices, PriceList } from './prices.ts'

/**
 * Orders (seed 9.7.3): asks user-service who orders, tells of each order by `order.created` and learns by `payment.processed` how it was paid.
 * Of a cancelled one it tells by `order.cancelled`, and asks for its money back by `order.refunding` where it was charged all the same.
 */
export const order = defineRole({
  name: 'order',
  service: ORDER_SERVICE,
  summary: 'Orders: publishes order.created, takes payment.processed',
  port: 8002,
  config: PriceList.extend(Patience.shape).strict(),
  live: LivePrices,
  needs: ['registry', 'broker', 'user'],
  calls: () => ['users:read'],
  keeps: { migrations: orderMigrations, leaves: OUTBOX_LEASES },
  async start({ config, clock, log, messaging, remoteConfig, client, check, store: open }) {
    const store = await open<OrderTables>(orderMigrations)
    const outbox = messaging.outbox(store)
    check('overdue', () => checkOverdue({ store, clock, seconds: config.overdue_seconds }), 'degraded')
    const placeOrder = createPlacing({
      store,
      outbox,
      users: client(USER_SERVICE),
      clock,
      priceOf: createPrices(config, remoteConfig),
      currency: config.currency,
    })
    const payments = createPaymentResults({ store, outbox, clock, log, currency: config.currency })
    messaging.consume({ topic: PAYMENT_PROCESSED, handle: payments.processed })
    messaging.consume({ topic: PAYMENT_REFUNDED, handle: payments.refunded })
    const { orderRoutes } = await import('./routes.ts')
    return { app: orderRoutes(createOrders(store, outbox), placeOrder) }
  },
})
