import { Hono, type MiddlewareHandler } from 'hono'
import * as z from 'zod'
import type { Authority } from '../../kit/auth/authority.ts'
import { NumericId } from '../../kit/http/paging.ts'
import { route } from '../../kit/http/route.ts'
import type { AppEnv } from '../../kit/role.ts'
import { currentScope } from '../../kit/telemetry/scope.ts'
import { type AggregateSources, userOrders } from './aggregate.ts'
import { identify } from './caller.ts'
import { UserOrders } from './contract.ts'

/** What the routes work with. */
export interface GatewayRoutesOptions extends AggregateSources {
  readonly authority: Authority
  /** The audience a token must be meant for. */
  readonly service: string
}

/** The paths that the gateway answers itself. */
export function gatewayRoutes({ users, orders, authority, service }: GatewayRoutesOptions): Hono<AppEnv> {
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
