import * as z from 'zod'

/** The gateway's registered name: the audience of the tokens that it accepts. */
export const GATEWAY_SERVICE = 'api-gateway'

/** Answer of GET /gateway/api/users/:id/orders: a user and its orders, as their services gave them. */
export const UserOrders = z.object({
  user: z.record(z.string(), z.unknown()),
  orders: z.array(z.record(z.string(), z.unknown())),
})
export type UserOrders = z.output<typeof UserOrders>

/** The one grant there is: one token for another (RFC 8693 §2.1). */
export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
/** The one kind of token there is (RFC 8693 §3). */
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

/** Answer of GET /.well-known/jwks.json (RFC 7517 §5). */
export const KeySet = z.object({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string(), alg: z.string() })) })

/** The form of POST /oauth/token. */
export const TokenForm = z.object({
  grant_type: z.literal(TOKEN_EXCHANGE),
  /** The token to be renewed. */
  subject_token: z.string(),
  subject_token_type: z.literal(ACCESS_TOKEN),
  /** Names separated by spaces. Default: all of the old one's. */
  scope: z.string().optional(),
  /** May be given several times. Default: all of the old one's. */
  audience: z.string().optional(),
})

/** The form of POST /oauth/revoke (RFC 7009 §2.1). */
export const RevocationForm = z.object({
  /** The token to be revoked. */
  token: z.string(),
  /** Not looked at: there is one kind of token. */
  token_type_hint: z.string().optional(),
})

/** Answer of POST /oauth/token (RFC 8693 §2.2.1). */
export const IssuedToken = z.object({
  access_token: z.string(),
  issued_token_type: z.literal(ACCESS_TOKEN),
  token_type: z.literal('Bearer'),
  /** Seconds. */
  expires_in: z.int(),
  /** Names separated by single spaces. */
  scope: z.string(),
})
