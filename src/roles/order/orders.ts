import { sql } from 'kysely'
import type { Store } from '../../drivers/store/contract.ts'
import { type View, visibleTo } from '../../kit/auth/ownership.ts'
import { AppError } from '../../kit/errors.ts'
import type { Outbox } from '../../kit/messaging/messaging.ts'
import { ORDER_CANCELLED, type Order, type OrderCancelled, type OrderStatus, orderKey } from './contract.ts'
import { toOrder } from './order-rows.ts'
import { afterCancel } from './order-status.ts'
import type { OrderTables } from './order-tables.ts'

interface OrderFilter {
  readonly limit: number
  /** Orders with a larger id only. */
  readonly after?: number | undefined
  readonly userId?: number | undefined
  readonly status?: OrderStatus | undefined
}

/** The orders that are there. What an asker may not see doesn't exist for him. */
export interface Orders {
  /** In the order in which they were made. */
  list(filter: OrderFilter, view: View): Promise<readonly Order[]>
  /** Throws AppError `NOT_FOUND`. */
  find(id: number, view: View): Promise<Order>
  /**
   * Cancels an order that isn't paid for, and writes `order.cancelled` to the outbox in the same transaction. Cancelling twice is as good as
   * once. Throws AppError `NOT_FOUND`, and `CONFLICT` for an order that is paid or failed.
   */
  cancel(id: number, view: View): Promise<void>
}

/** Makes the orders of a store. */
export function createOrders(store: Store<OrderTables>, outbox: Outbox<OrderTables>): Orders {
  /** @param db the store's, or a transaction */
  const visible = (db: typeof store.db, view: View) => db.selectFrom('orders').selectAll().where(visibleTo(view))

  return {
    async list({ limit, after = 0, userId, status }, view) {
      let orders = visible(store.db, view).where('id', '>', after)
      const isOnePersons = view.sees === 'own'
      if (userId !== undefined) orders = orders.where(isOnePersons ? beside('user_id') : 'user_id', '=', userId)
      if (status !== undefined)
        orders = orders.where(isOnePersons || userId !== undefined ? beside('status') : 'status', '=', status)
      return (await orders.orderBy('id').limit(limit).execute()).map(toOrder)
    },
    async find(id, view) {
      return toOrder(await visible(store.db, view).where('id', '=', id).executeTakeFirstOrThrow(notFound))
    },
    async cancel(id, view) {
      await store.transaction(async (trx) => {
        const { status, user_id, uuid } = await visible(trx, view)
          .where('id', '=', id)
          .executeTakeFirstOrThrow(notFound)
        const transition = afterCancel(status)
        if (transition.outcome === 'refused') {
          const why = status === 'paid' ? 'it is paid' : 'its payment failed'
          throw new AppError('CONFLICT', `Order ${id} can't be cancelled: ${why}`)
        }
        if (transition.outcome !== 'becomes') return
        await trx.updateTable('orders').set({ status: transition.status }).where('id', '=', id).execute()
        const data: OrderCancelled = { order_id: id, order_uuid: uuid ?? undefined, user_id }
        await outbox.add(trx, { type: ORDER_CANCELLED, key: orderKey(data), data })
      })
    },
  }
}

/**
 * A column as no index knows it: which orders are read is for the narrower index of another one to say. Without statistics SQLite finds all
 * equally narrow.
 */
function beside<C extends 'user_id' | 'status'>(column: C) {
  return sql<OrderTables['orders'][C]>`coalesce(${sql.ref(column)}, null)`
}

function notFound(): AppError {
  return new AppError('NOT_FOUND', 'Order not found')
}
