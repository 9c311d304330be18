import * as z from 'zod'

/** The order role's name in the registry. */
export const ORDER_SERVICE = 'order-service'

/** Published once for each order made. */
export const ORDER_CREATED = 'order.created'

/** Published once for each order that is cancelled. */
export const ORDER_CANCELLED = 'order.cancelled'

/** Published once for each cancelled order that turns out to be charged: its payment is to go back. */
export const ORDER_REFUNDING = 'order.refunding'

/** Most pieces in an order. */
const MAX_QUANTITY = 1_000_000

/**
 * Where an order stands: pending until its payment is known, or until it is cancelled. A cancelled one that was charged all the same is
 * refunding until its money is back.
 */
export const OrderStatus = z.enum(['pending', 'paid', 'payment_failed', 'cancelled', 'refunding', 'refunded'])
export type OrderStatus = z.infer<typeof OrderStatus>

/** What an order is made from. */
export const NewOrder = z.object({
  user_id: z.int().min(1),
  product_name: z
    .string()
    .trim()
    .min(1, 'it is missing')
    .max(200)
    .regex(/^\P{Cc}*$/u, 'no control characters'),
  quantity: z.int().min(1).max(MAX_QUANTITY),
})
export type NewOrder = z.infer<typeof NewOrder>

/** An order as the API shows it (design §5). */
export const Order = z.object({
  id: z.int(),
  user_id: z.int(),
  product_name: z.string(),
  quantity: z.int(),
  total_price: z.number().describe('at most two decimals'),
  status: OrderStatus,
  reason: z.string().optional().describe('why its payment failed'),
  created_at: z.string().describe('RFC 3339'),
})
export type Order = z.infer<typeof Order>

/** What prices are in: an ISO 4217 code. */
export const Currency = z.string().regex(/^[A-Z]{3}$/, 'three capital letters')

/**
 * Tells the order from every other one, also from one that has the same `order_id` because the database was restored from a copy; the id of its
 * `order.created` too. Absent in events from before orders had one.
 */
const OrderUuid = z.uuid().optional()

/**
 * What an order is told apart by from every other one, also the key that its events keep their order by: its UUID, or `order 7` where it is from before orders
 * had one.
 */
export function orderKey({ order_id, order_uuid }: { order_id: number; order_uuid?: string | undefined }): string {
  return order_uuid ?? `order ${order_id}`
}

/** The data of `order.created` (design §5). */
export const OrderCreated = z.object({
  order_id: z.int().min(1),
  order_uuid: OrderUuid,
  user_id: z.int().min(1),
  product_name: z.string(),
  quantity: z.int().min(1),
  total_price: z.number().min(0).max(1e12),
  /** Absent in events from before it was told: the platform's one. */
  currency: Currency.optional(),
})
export type OrderCreated = z.infer<typeof OrderCreated>

/** The data of `order.cancelled`. */
export const OrderCancelled = z.object({
  order_id: z.int().min(1),
  order_uuid: OrderUuid,
  user_id: z.int().min(1),
})
export type OrderCancelled = z.infer<typeof OrderCancelled>

/** The data of `order.refunding`: which payment is to go back. */
export const OrderRefunding = z.object({
  order_id: z.int().min(1),
  order_uuid: OrderUuid,
  payment_id: z.uuid(),
  amount: z.number().min(0),
  currency: Currency,
})
export type OrderRefunding = z.infer<typeof OrderRefunding>
