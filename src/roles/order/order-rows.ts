import type { Selectable } from 'kysely'
import { fromCents } from '../../kit/money.ts'
import type { Order } from './contract.ts'
import type { OrderTables } from './order-tables.ts'

/** A row of `orders`. */
export type OrderRow = Selectable<OrderTables['orders']>

/** An order as the API shows it. Whose it is stays inside. */
export function toOrder(row: OrderRow): Order {
  const { id, user_id, product_name, quantity, total_cents, status, reason, created_at } = row
  const total_price = fromCents(total_cents)
  return { id, user_id, product_name, quantity, total_price, status, ...(reason !== null && { reason }), created_at }
}
