import type { Selectable } from 'kysely'
import { fromCents } from '../../kit/money.ts'
import type { Order } from './contract.ts'
import type { OrderTables } from './order-tables.ts'

/** A row of `orders`. */
export type OrderRow = Selectable<OrderTables['orders']>

/** An order as the API shows it. Whose it is stays inside. */
export function toOrder({ id, user_id, product_name, quantity, total_cents, status, created_at }: OrderRow): Order {
  return { id, user_id, product_name, quantity, total_price: fromCents(total_cents), status, created_at }
}
