import { randomUUIDv7 } from 'node:crypto'
import type { Clock } from '../../drivers/clock.ts'
import type { Store } from '../../drivers/store/contract.ts'
import { type View, visibleTo } from '../../kit/auth/ownership.ts'
import { bind } from '../../kit/bound-query.ts'
import { AppError } from '../../kit/errors.ts'
import { personIn } from '../../kit/messaging/auth-context.ts'
import { once } from '../../kit/messaging/inbox.ts'
import type { IncomingEvent, Outbox } from '../../kit/messaging/messaging.ts'
import { readable } from '../../kit/messaging/readable.ts'
import { amountText, fromCents, toCents } from '../../kit/money.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import { OrderCreated, orderKey } from '../order/contract.ts'
import type { Cancellations } from './cancellations.ts'
import { PAYMENT_PROCESSED, type Payment, type PaymentProcessed } from './contract.ts'
import type { PaymentTables } from './payment-tables.ts'

/** What charging takes. */
export interface PaymentsOptions {
  readonly store: Store<PaymentTables>
  readonly outbox: Outbox<PaymentTables>
  /** Whose orders are not charged any more. */
  readonly cancellations: Pick<Cancellations, 'has'>
  readonly clock: Clock
  readonly log: Log
  /** The largest amount that is charged, in cents; more fails. Asked each time, since it may change while running. */
  readonly limitCents: () => number
}

/** Payments: one for each order, ever, told apart by what no restored database gives out again. What an asker may not see doesn't exist for him. */
export interface Payments {
  /**
   * Charges the order that an `order.created` tells of, and writes `payment.processed` to the outbox in the same transaction. An event that
   * came before, an order that was charged before, or one that is cancelled, changes nothing. Throws AppError `UNPROCESSABLE` for a message
   * that isn't an order's, such as one published by hand, and for parts of a cent.
   */
  orderCreated(event: IncomingEvent): Promise<void>
  /** In the order in which they were made, to the millisecond. */
  list(options: {
    limit: number
    after?: string | undefined
    orderId?: number | undefined
    view: View
  }): Promise<readonly Payment[]>
  /** Throws AppError `NOT_FOUND`. */
  find(id: string, view: View): Promise<Payment>
}

/** Makes the payments of a store, their statements compiled once. */
export function createPayments({ store, outbox, cancellations, clock, log, limitCents }: PaymentsOptions): Payments {
  const { db } = store
  const ofKey = db.selectFrom('payments').select(['user_id', 'amount_cents']).where('order_key', '=', '').compile()
  const namesake = db
    .selectFrom('payments')
    .select('order_key')
    .where('order_id', '=', 0)
    .where('order_key', '<>', '')
    .limit(1)
    .compile()
  const insert = db
    .insertInto('payments')
    .values({
      id: '',
      order_id: 0,
      order_key: '',
      user_id: 0,
      amount_cents: 0,
      status: 'success',
      reason: null,
      created_at: '',
      owner: null,
    })
    .onConflict((conflict) => conflict.column('order_key').doNothing())
    .compile()

  const visible = (view: View) => db.selectFrom('payments').selectAll().where(visibleTo(view))

  // its rows stand for themselves, and unique constraints say what came before
  const inbox = { store, clock, isolation: 'shared' } as const

  return {
    async orderCreated(event) {
      const { order_id, order_uuid, user_id, total_price, currency } = readable(event, OrderCreated, 'an order')
      const key = orderKey({ order_id, order_uuid })
      const cents = toCents(total_price)
      if (fromCents(cents) !== total_price) {
        throw new AppError('UNPROCESSABLE', `Order ${order_id} is for ${total_price}, which is in no whole cents`)
      }
      const reason = refusalOf(cents, limitCents())
      const status = reason === undefined ? 'success' : 'failed'
      await once(inbox, event, async (trx) => {
        if (await cancellations.has(trx, key)) {
          store.afterCommit(trx, () => log.info(`Order ${order_id} was cancelled before it was charged`, { order_id }))
          return
        }
        const payment_id = randomUUIDv7()
        const at = new Date(clock.now()).toISOString()
        const charged = await trx.executeQuery(
          bind(insert, [
            payment_id,
            order_id,
            key,
            user_id,
            cents,
            status,
            reason ?? null,
            at,
            personIn(event.attributes),
          ]),
        )
        if (charged.numAffectedRows === 0n) {
          const before = (await trx.executeQuery(bind(ofKey, [key]))).rows[0]
          if (before?.amount_cents !== cents || before.user_id !== user_id) {
            const fields = { order_id, order_uuid, user_id, amount: total_price, message_id: event.id }
            const fault = `Order ${order_id} was charged before, another amount or another user: nothing is charged`
            store.afterCommit(trx, () => log.error(fault, fields))
          }
          return
        }
        const data: PaymentProcessed = {
          order_id,
          order_uuid,
          payment_id,
          status,
          amount: total_price,
          currency,
          reason,
        }
        await outbox.add(trx, { type: PAYMENT_PROCESSED, key, data })
        const isNamesake = (await trx.executeQuery(bind(namesake, [order_id, key, 1]))).rows.length > 0
        store.afterCommit(trx, () => {
          if (reason !== undefined) log.warning(`Order ${order_id} is not charged: ${reason}`, { order_id, payment_id })
          if (!isNamesake) return
          const what = `The order id ${order_id} was another order's before, as after a restore: both are charged`
          log.warning(what, { order_id, order_uuid, message_id: event.id })
        })
      })
    },
    async list({ limit, after = '', orderId, view }) {
      const seen = visible(view)
      const wanted = orderId === undefined ? seen : seen.where('order_id', '=', orderId)
      return (await wanted.where('id', '>', after).orderBy('id').limit(limit).execute()).map(toPayment)
    },
    async find(id, view) {
      const found = await visible(view).where('id', '=', id).executeTakeFirst()
      if (!found) throw new AppError('NOT_FOUND', 'Payment not found')
      return toPayment(found)
    },
  }
}

/** Why an amount is not charged, for people; undefined when it is. */
function refusalOf(cents: number, limitCents: number): string | undefined {
  if (cents <= limitCents) return undefined
  return `${amountText(cents)} is over the limit of ${amountText(limitCents)}`
}

function toPayment(row: PaymentTables['payments']): Payment {
  const { id, order_id, user_id, amount_cents, status, reason, created_at } = row
  const amount = fromCents(amount_cents)
  return { id, order_id, user_id, amount, status, ...(reason !== null && { reason }), created_at }
}
