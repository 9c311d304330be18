import * as z from 'zod'

/** The gateway's registered name: the audience of the tokens that it accepts. */
export const GATEWAY_SERVICE = 'api-gateway'

/** Answer of GET /gateway/api/users/:id/orders: a user and its orders, as their services gave them. */
export const UserOrders = z.object({
  user: z.record(z.string(), z.unknown()),
  orders: z.array(z.record(z.string(), z.unknown())),
})
export type UserOrders = z.output<typeof UserOrders>

/** Answer of POST /oauth/token (RFC 8693 §2.2.1). */
export const IssuedToken = z.object({
  access_token: z.string(),
  issued_token_type: z.literal('urn:ietf:params:oauth:token-type:access_token'),
  token_type: z.literal('Bearer'),
  /** Seconds. */
  expires_in: z.int(),
  /** Names separated by single spaces. */
  scope: z.string(),
})
