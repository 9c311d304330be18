import type { Clock } from '../../drivers/clock.ts'
import type { Store } from '../../drivers/store/contract.ts'
import { bind } from '../../kit/bound-query.ts'
import { AppError } from '../../kit/errors.ts'
import { inputFaults } from '../../kit/input-faults.ts'
import { once } from '../../kit/messaging/inbox.ts'
import type { IncomingEvent } from '../../kit/messaging/messaging.ts'
import { fromCents } from '../../kit/money.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import { PaymentProcessed } from '../payment/contract.ts'
import { afterPayment } from './order-status.ts'
import type { OrderTables } from './order-tables.ts'

/** What payments are noted in. */
export interface PaymentResultsOptions {
  readonly store: Store<OrderTables>
  readonly clock: Clock
  readonly log: Log
  /** What prices are in, such as `EUR`. */
  readonly currency: string
}

/**
 * Handles `payment.processed`: the order becomes paid or payment_failed, once, however often the event comes. A message that isn't a payment's,
 * such as one published by hand, one for an order that isn't here (an id that a restored database gave out again is another order's), and one of
 * another amount or currency than the order's own, which changes no order, are logged and done with: coming again wouldn't change them.
 */
export function createPaymentResults({
  store,
  clock,
  log,
  currency: own,
}: PaymentResultsOptions): (event: IncomingEvent) => Promise<void> {
  const { db } = store
  const select = db.selectFrom('orders').select(['uuid', 'status', 'total_cents']).where('id', '=', 0).compile()
  const update = db
    .updateTable('orders')
    .set({ status: 'paid' })
    .where('id', '=', 0)
    .where('status', '=', 'pending')
    .compile()

  return async function paymentProcessed(event) {
    const result = PaymentProcessed.safeParse(event.payload)
    if (!result.success) {
      const faults = inputFaults(result.error, 'payload')
      log.warning(`A message on ${event.topic} is not a payment's; it is passed over`, { message_id: event.id, faults })
      return
    }
    const { order_id, order_uuid, payment_id, status: payment, amount, currency = own } = result.data
    await store.transaction((trx) =>
      once(
        trx,
        event,
        async () => {
          const order = (await trx.executeQuery(bind(select, [order_id]))).rows[0]
          if (!order) {
            log.warning(`Payment of order ${order_id}, which is not here`, { payment_id })
            return
          }
          if (order_uuid !== undefined && order_uuid !== order.uuid) {
            const fields = { order_id, order_uuid, payment_id, message_id: event.id }
            log.error(
              `A payment of another order that had the id ${order_id}, as before a restore: it is refused`,
              fields,
            )
            return
          }
          const price = fromCents(order.total_cents)
          if (amount !== price || currency !== own) {
            const fields = { order_id, payment_id, amount, currency, price, message_id: event.id }
            log.error(
              `A payment of ${amount} ${currency} is not order ${order_id}'s ${price} ${own}: it is refused`,
              fields,
            )
            return
          }
          const transition = afterPayment(order.status, payment)
          if (transition.outcome === 'refund') {
            log.error(`Order ${order_id} was cancelled while it was being paid: refund it`, { order_id, payment_id })
          } else if (transition.outcome === 'becomes') {
            const changed = await trx.executeQuery(bind(update, [transition.status, order_id, order.status]))
            if (changed.numAffectedRows === 0n) {
              throw new AppError('CONFLICT', `Order ${order_id} changed while its payment was noted`)
            }
          }
        },
        clock,
      ),
    )
  }
}
