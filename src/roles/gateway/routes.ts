import { Hono, type MiddlewareHandler } from 'hono'
import * as z from 'zod'
import type { Authority } from '../../kit/auth/authority.ts'
import { JWKS_PATH } from '../../kit/auth/key-set.ts'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { NumericId } from '../../kit/http/paging.ts'
import { route } from '../../kit/http/route.ts'
import { currentScope } from '../../kit/telemetry/scope.ts'
import { type AggregateSources, userOrders } from './aggregate.ts'
import { identify } from './caller.ts'
import { IssuedToken, KeySet, RevocationForm, TokenForm, UserOrders } from './contract.ts'
import { REVOKE_PATH, TOKEN_PATH } from './own-paths.ts'
import { type RevocationEndpointOptions, revocationEndpoint } from './revocation-endpoint.ts'
import { type TokenEndpointOptions, tokenEndpoint } from './token-endpoint.ts'

/** As long as services keep them by themselves. */
const KEYS_KEPT = 'public, max-age=600'

/** What the routes work with. */
export interface GatewayRoutesOptions extends AggregateSources, TokenEndpointOptions, RevocationEndpointOptions {
  readonly authority: Authority
  /** The audience a token must be meant for. */
  readonly service: string
}

/** The paths that the gateway answers itself. */
export function gatewayRoutes(options: GatewayRoutesOptions): Hono<AppEnv> {
  const { users, orders, authority, service } = options
  const app = new Hono<AppEnv>()
  app.get(
    '/gateway/api/users/:id/orders',
    wantsToken(authority, service),
    route({
      summary: 'A user and its orders',
      scope: 'token',
      params: z.object({ id: NumericId }),
      invalid: 'Invalid user ID',
      responses: { 200: UserOrders, 400: 'Not an id', 401: 'No valid token', 404: 'No such user' },
    }),
    async (c) => c.json(await userOrders({ users, orders }, c.req.valid('param').id)),
  )
  app.get(
    JWKS_PATH,
    route({
      summary: "The keys that the platform's tokens are checked with (RFC 7517)",
      scope: 'public',
      responses: { 200: KeySet },
    }),
    async (c) => c.json({ keys: await authority.publicKeys() }, 200, { 'cache-control': KEYS_KEPT }),
  )
  app.post(
    TOKEN_PATH,
    route({
      summary: 'A fresh token for the one that a service shows in a form (RFC 8693, token exchange)',
      scope: 'public',
      takes: { 'application/x-www-form-urlencoded': TokenForm },
      responses: { 200: IssuedToken, 400: 'Not such a request', 401: 'No valid token', 403: 'A person’s token' },
    }),
    tokenEndpoint(options),
  )
  app.post(
    REVOKE_PATH,
    route({
      summary: 'Revoke a token that is shown in a form (RFC 7009)',
      scope: 'public',
      takes: { 'application/x-www-form-urlencoded': RevocationForm },
      responses: { 200: 'It counts no more', 400: 'Not such a request', 503: 'Other gateways can not know it' },
    }),
    revocationEndpoint(options),
  )
  return app
}

/** Lets only holders of a token in; nobody, as the door called him, becomes somebody. */
function wantsToken(authority: Authority, service: string): MiddlewareHandler<AppEnv> {
  return async function wantsToken(c, next) {
    const asker = await identify({ authorization: c.req.header('authorization') }, 'token', authority, service)
    const scope = currentScope()
    if (scope) scope.asker = asker
    return next()
  }
}
