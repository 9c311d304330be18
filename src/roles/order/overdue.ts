import * as z from 'zod'
import type { Clock } from '../../drivers/clock.ts'
import type { Store } from '../../drivers/store/contract.ts'
import { AppError } from '../../kit/errors.ts'
import type { OrderTables } from './order-tables.ts'

/** What waits for the payment service, and says nothing of it by itself. */
const WAITING = ['pending', 'refunding'] as const

/** How long an order may wait. */
export const Patience = z.object({
  overdue_seconds: z.int().min(1).max(86_400).default(60).describe('how long an order may wait for its payment'),
})

/** Where the orders are, and how long one may wait. */
export interface OverdueOptions {
  readonly store: Pick<Store<OrderTables>, 'db'>
  readonly clock: Pick<Clock, 'now'>
  readonly seconds: number
}

/**
 * Whether an order has been waiting for its payment, or for its money to go back, for longer than it should: events that got lost between services
 * show nowhere else. Looks at the oldest of each, by its index. Throws AppError `UNAVAILABLE` that names it, for the role's health.
 */
export async function checkOverdue({ store, clock, seconds }: OverdueOptions): Promise<void> {
  for (const status of WAITING) {
    const oldest = store.db.selectFrom('orders').select(['id', 'created_at']).where('status', '=', status).orderBy('id')
    const order = await oldest.limit(1).executeTakeFirst()
    const age = order ? Math.floor((clock.now() - Date.parse(order.created_at)) / 1_000) : 0
    if (order && age > seconds)
      throw new AppError(
        'UNAVAILABLE',
        `order ${order.id} is ${status} since ${age} s: see msvc logs --service payment-service`,
      )
  }
}
