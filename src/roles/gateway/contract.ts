import * as z from 'zod'

/** The gateway's registered name: the audience of the tokens that it accepts. */
export const GATEWAY_SERVICE = 'api-gateway'

/** Answer of GET /gateway/api/users/:id/orders: a user and its orders, as their services gave them. */
export const UserOrders = z.object({
  user: z.record(z.string(), z.unknown()),
  orders: z.array(z.record(z.string(), z.unknown())),
})
export type UserOrders = z.output<typeof UserOrders>
