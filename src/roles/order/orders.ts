import type { Store } from '../../drivers/store/contract.ts'
import { AppError } from '../../kit/errors.ts'
import type { Order, OrderStatus } from './contract.ts'
import { toOrder } from './order-rows.ts'
import { afterCancel } from './order-status.ts'
import type { OrderTables } from './order-tables.ts'
import type { Caller } from './ownership.ts'

interface OrderFilter {
  readonly limit: number
  /** Orders with a larger id only. */
  readonly after?: number | undefined
  readonly userId?: number | undefined
  readonly status?: OrderStatus | undefined
}

/** The orders that are there. What a caller may not see doesn't exist for him. */
export interface Orders {
  /** In the order in which they were made. */
  list(filter: OrderFilter, caller: Caller): Promise<readonly Order[]>
  /** Throws AppError `NOT_FOUND`. */
  find(id: number, caller: Caller): Promise<Order>
  /** Throws AppError `NOT_FOUND`, and `CONFLICT` for an order that is paid or failed. Cancelling twice is as good as once. */
  cancel(id: number, caller: Caller): Promise<void>
}

/** Makes the orders of a store. */
export function createOrders(store: Store<OrderTables>): Orders {
  /** @param db the store's, or a transaction */
  function visible(db: typeof store.db, { owner, sees }: Caller) {
    const orders = db.selectFrom('orders').selectAll()
    return sees === 'all' ? orders : orders.where('owner', '=', owner)
  }

  return {
    async list({ limit, after = 0, userId, status }, caller) {
      let orders = visible(store.db, caller).where('id', '>', after)
      if (userId !== undefined) orders = orders.where('user_id', '=', userId)
      if (status !== undefined) orders = orders.where('status', '=', status)
      return (await orders.orderBy('id').limit(limit).execute()).map(toOrder)
    },
    async find(id, caller) {
      return toOrder(await visible(store.db, caller).where('id', '=', id).executeTakeFirstOrThrow(notFound))
    },
    async cancel(id, caller) {
      await store.transaction(async (trx) => {
        const { status } = await visible(trx, caller).where('id', '=', id).executeTakeFirstOrThrow(notFound)
        const transition = afterCancel(status)
        if (transition.outcome === 'refused') {
          const why = status === 'paid' ? 'it is paid' : 'its payment failed'
          throw new AppError('CONFLICT', `Order ${id} can't be cancelled: ${why}`)
        }
        if (transition.outcome !== 'becomes') return
        const changed = await trx
          .updateTable('orders')
          .set({ status: transition.status })
          .where('id', '=', id)
          .where('status', '=', status)
          .executeTakeFirstOrThrow()
        // Its payment came between the two statements, which a server's database allows.
        if (changed.numUpdatedRows === 0n) throw new AppError('CONFLICT', `Order ${id} changed meanwhile; try again`)
      })
    },
  }
}

function notFound(): AppError {
  return new AppError('NOT_FOUND', 'Order not found')
}
