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
import { PaymentProcessed, PaymentRefunded } from '../payment/contract.ts'
import { ORDER_REFUNDING, type OrderRefunding, type OrderStatus, orderKey } from './contract.ts'
import { afterPayment, afterRefund, type Transition } from './order-status.ts'
import type { OrderTables } from './order-tables.ts'

/** What payments are noted in. */
export interface PaymentResultsOptions {
  readonly store: Store<OrderTables>
  readonly outbox: Outbox<OrderTables>
  readonly clock: Clock
  readonly log: Log
  /** What prices are in, such as `EUR`. */
  readonly currency: string
}

/** What payment-service tells of orders, each noted once, however often its event comes. */
export interface PaymentResults {
  /**
   * Handles `payment.processed`: the order becomes paid or payment_failed; one that was cancelled meanwhile becomes refunding, and
   * `order.refunding` is written to the outbox in the same transaction. Throws AppError `UNPROCESSABLE` for a message that isn't a payment's,
   * such as one published by hand, for an order that isn't here (an id that a restored database gave out again is another order's), and for another amount or currency than the order's own.
   */
  processed(event: IncomingEvent): Promise<void>
  /** Handles `payment.refunded`: the order is refunded. Throws AppError `UNPROCESSABLE` for a message that is no refund of an order here. */
  refunded(event: IncomingEvent): Promise<void>
}

/** What is known of an order that is here. */
type Found = Pick<OrderTables['orders'], 'uuid' | 'status' | 'total_cents'>

/** Notes payments in a store, its statements compiled once. */
export function createPaymentResults({
  store,
  outbox,
  clock,
  log,
  currency: own,
}: PaymentResultsOptions): PaymentResults {
  const { db } = store
  // an order is changed as long as nobody else did since it was read
  const inbox = { store, clock, isolation: 'shared' } as const
  const select = db.selectFrom('orders').select(['uuid', 'status', 'total_cents']).where('id', '=', 0).compile()
  const update = db
    .updateTable('orders')
    .set({ status: 'paid', reason: null })
    .where('id', '=', 0)
    .where('status', '=', 'pending')
    .compile()

  const find = async (trx: Transaction<OrderTables>, id: number) => (await trx.executeQuery(bind(select, [id]))).rows[0]

  /**
   * Changes an order's status, whatever else does so meanwhile.
   * @param decide what becomes of an order, undefined for none here; asked again when the order has changed since it was read
   * @returns what it became, undefined where it stays
   */
  async function change(
    trx: Transaction<OrderTables>,
    id: number,
    decide: (order: Found | undefined) => Transition,
    reason?: string,
  ): Promise<OrderStatus | undefined> {
    for (;;) {
      const order = await find(trx, id)
      const to = decide(order)
      if (!order || to.outcome !== 'becomes') return undefined
      const { numAffectedRows } = await trx.executeQuery(bind(update, [to.status, reason ?? null, id, order.status]))
      if (numAffectedRows !== 0n) return to.status
    }
  }

  return {
    async processed(event) {
      const said = readable(event, PaymentProcessed, 'a payment')
      const { order_id, order_uuid, payment_id, status: payment, amount, currency = own, reason } = said
      /** What becomes of the order. */
      function decide(order: Found | undefined): Transition {
        if (!order)
          throw new AppError('UNPROCESSABLE', `Payment ${payment_id} is for order ${order_id}, which is not here`)
        if (order_uuid !== undefined && order_uuid !== order.uuid) {
          const fault = `A payment of another order that had the id ${order_id}, as before a restore: it is refused`
          throw new AppError('UNPROCESSABLE', fault)
        }
        const price = fromCents(order.total_cents)
        if (amount !== price || currency !== own) {
          const fault = `A payment of ${amount} ${currency} is not order ${order_id}'s ${price} ${own}: it is refused`
          throw new AppError('UNPROCESSABLE', fault)
        }
        return afterPayment(order.status, payment)
      }
      await once(inbox, event, async (trx) => {
        const status = await change(trx, order_id, decide, reason)
        if (status === 'payment_failed')
          store.afterCommit(trx, () => log.warning(failure(order_id, reason), { order_id, payment_id }))
        if (status !== 'refunding') return
        const data: OrderRefunding = { order_id, order_uuid, payment_id, amount, currency }
        await outbox.add(trx, { type: ORDER_REFUNDING, key: orderKey(data), data })
        const what = `Order ${order_id} was cancelled while it was being paid: its payment goes back`
        store.afterCommit(trx, () => log.warning(what, { order_id, payment_id }))
      })
    },

    async refunded(event) {
      const said = readable(event, PaymentRefunded, 'a refund')
      const { order_id, order_uuid, payment_id, amount, currency = own } = said
      /** What becomes of the order. */
      function decide(order: Found | undefined): Transition {
        const isIts = order_uuid === undefined || order_uuid === order?.uuid
        const isOwn = order && isIts && amount === fromCents(order.total_cents) && currency === own
        const to = isOwn ? afterRefund(order.status) : undefined
        if (to && to.outcome !== 'refused') return to
        const what = `${amount} ${currency} for order ${order_id}`
        throw new AppError('UNPROCESSABLE', `A refund of ${what} is refused: no such order waits for it`)
      }
      await once(inbox, event, async (trx) => {
        if ((await change(trx, order_id, decide)) === undefined) return
        store.afterCommit(trx, () => log.info(`Order ${order_id} is refunded`, { order_id, payment_id }))
      })
    },
  }
}

/** A failed payment, for people. */
function failure(orderId: number, reason: string | undefined): string {
  const what = `The payment of order ${orderId} failed`
  return reason === undefined ? what : `${what}: ${reason}`
}
