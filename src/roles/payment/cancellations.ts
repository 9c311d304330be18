import type { Transaction } from 'kysely'
import type { Clock } from '../../drivers/clock.ts'
import type { Store } from '../../drivers/store/contract.ts'
import { bind } from '../../kit/bound-query.ts'
import { AppError } from '../../kit/errors.ts'
import { once } from '../../kit/messaging/inbox.ts'
import type { IncomingEvent, Outbox } from '../../kit/messaging/messaging.ts'
import { readable } from '../../kit/messaging/readable.ts'
import { fromCents } from '../../kit/money.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import { OrderCancelled, OrderRefunding, orderKey } from '../order/contract.ts'
import { PAYMENT_REFUNDED, type PaymentRefunded } from './contract.ts'
import type { PaymentTables } from './payment-tables.ts'

/** What cancelled orders are noted in. */
export interface CancellationsOptions {
  readonly store: Store<PaymentTables>
  readonly outbox: Outbox<PaymentTables>
  readonly clock: Clock
  readonly log: Log
}

/**
 * Orders that are not to be paid for. What was charged before its cancellation came is known to order-service alone, which learns of every
 * payment and asks for it back: here nothing needs to be decided by what came first.
 */
export interface Cancellations {
  /** Handles `order.cancelled`: the order won't be charged any more. */
  orderCancelled(event: IncomingEvent): Promise<void>
  /**
   * Handles `order.refunding`: the payment goes back, and `payment.refunded` is written to the outbox in the same transaction. Throws AppError
   * `UNPROCESSABLE` for a payment that was never made.
   */
  orderRefunding(event: IncomingEvent): Promise<void>
  /** Whether an order, by its `orderKey`, was cancelled before it was charged; to be asked in the transaction that charges it. */
  has(trx: Transaction<PaymentTables>, key: string): Promise<boolean>
}

/** Makes the cancellations of a store, their statements compiled once. */
export function createCancellations({ store, outbox, clock, log }: CancellationsOptions): Cancellations {
  const { db } = store
  const select = db.selectFrom('cancellations').select('order_key').where('order_key', '=', '').compile()
  const insert = db
    .insertInto('cancellations')
    .values({ order_key: '', created_at: '' })
    .onConflict((conflict) => conflict.column('order_key').doNothing())
    .compile()
  const payment = db
    .selectFrom('payments')
    .select(['status', 'amount_cents'])
    .where('id', '=', '')
    .where('order_id', '=', 0)
    .compile()
  const refund = db
    .updateTable('payments')
    .set({ status: 'refunded' })
    .where('id', '=', '')
    .where('status', '=', 'success')
    .compile()

  return {
    async orderCancelled(event) {
      const key = orderKey(readable(event, OrderCancelled, 'a cancellation'))
      await once({ store, clock }, event, async (trx) => {
        await trx.executeQuery(bind(insert, [key, new Date(clock.now()).toISOString()]))
      })
    },

    async orderRefunding(event) {
      const { order_id, order_uuid, payment_id, currency } = readable(event, OrderRefunding, 'a refund to make')
      await once({ store, clock }, event, async (trx) => {
        const paid = (await trx.executeQuery(bind(payment, [payment_id, order_id]))).rows[0]
        if (!paid || paid.status === 'failed') {
          const fault = `Payment ${payment_id} of order ${order_id} was never made: it can't go back`
          throw new AppError('UNPROCESSABLE', fault)
        }
        const refunded = await trx.executeQuery(bind(refund, ['refunded', payment_id, 'success']))
        if (refunded.numAffectedRows === 0n) return
        const amount = fromCents(paid.amount_cents)
        const data: PaymentRefunded = { order_id, order_uuid, payment_id, amount, currency }
        await outbox.add(trx, { type: PAYMENT_REFUNDED, key: orderKey(data), data })
        store.afterCommit(trx, () => log.info(`Refunded order ${order_id}`, { order_id, payment_id, amount, currency }))
      })
    },

    async has(trx, key) {
      return (await trx.executeQuery(bind(select, [key]))).rows.length > 0
    },
  }
}
