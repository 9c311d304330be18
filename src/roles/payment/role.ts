import { OUTBOX_LEASES } from '../../kit/messaging/outbox.ts'
import { defineRole } from '../../kit/role.ts'
import { ORDER_CANCELLED, ORDER_CREATED, ORDER_REFUNDING } from '../order/contract.ts'
import { createCancellations } from './cancellations.ts'
import { PAYMENT_SERVICE } from './contract.ts'
import { createLimit, PaymentLimit } from './limit.ts'
import { type PaymentTables, paymentMigrations } from './payment-tables.ts'
import { createPayments } from './payments.ts'

/**
 * Charges orders: takes `order.created`, publishes `payment.processed` (seed 9.7.12). Those that `order.cancelled` tells of it doesn't charge,
 * and gives back what `order.refunding` asks for, which `payment.refunded` tells.
 */
export const payment = defineRole({
  name: 'payment',
  service: PAYMENT_SERVICE,
  summary: 'Charges each order once, publishes payment.processed',
  port: 8003,
  config: PaymentLimit.strict(),
  live: PaymentLimit,
  needs: ['registry', 'broker'],
  keeps: { migrations: paymentMigrations, leaves: OUTBOX_LEASES },
  async start({ config, clock, log, messaging, remoteConfig, store: open }) {
    const store = await open<PaymentTables>(paymentMigrations)
    const outbox = messaging.outbox(store)
    const cancellations = createCancellations({ store, outbox, clock, log })
    const payments = createPayments({
      store,
      outbox,
      cancellations,
      clock,
      log,
      limitCents: createLimit(config, remoteConfig),
    })
    messaging.consume({ topic: ORDER_CREATED, handle: payments.orderCreated })
    messaging.consume({ topic: ORDER_CANCELLED, handle: cancellations.orderCancelled })
    messaging.consume({ topic: ORDER_REFUNDING, handle: cancellations.orderRefunding })
    const { paymentRoutes } = await import('./routes.ts')
    return { app: paymentRoutes(payments) }
  },
})
