import type { MiddlewareHandler } from 'hono'
import type { Authority } from '../auth/authority.ts'
import { type Identity, identityFromHeaders, USER_ID_HEADER, USER_SCOPES_HEADER } from '../auth/identity.ts'
import { AppError } from '../errors.ts'
import type { AppEnv } from '../role.ts'
import { currentScope } from '../telemetry/scope.ts'

/** The service whose word about users is believed. */
const GATEWAY = 'api-gateway'

/** What tells who asks. */
export interface AuthOptions {
  readonly authority: Authority
  /** The audience a token must be meant for: this service. */
  readonly service: string
}

/**
 * Finds out who asks, and leaves it in the scope (design §6). In local mode a role is open to local callers and believes their X-User-Id. In
 * token mode it wants a JWT for its own audience, and believes X-User-Id only from the gateway. Throws AppError `UNAUTHENTICATED`.
 */
export function auth({ authority, service }: AuthOptions): MiddlewareHandler<AppEnv> {
  if (authority.mode === 'local') {
    return function auth(c, next) {
      remember(identityFromHeaders(c.req.header(USER_ID_HEADER), c.req.header(USER_SCOPES_HEADER)))
      return next()
    }
  }
  return async function auth(c, next) {
    const caller = await authority.verify(bearerToken(c.req.header('authorization')), service)
    const user =
      caller.service && caller.subject === GATEWAY
        ? identityFromHeaders(c.req.header(USER_ID_HEADER), c.req.header(USER_SCOPES_HEADER))
        : undefined
    remember(user ?? caller)
    return next()
  }
}

function remember(identity: Identity | undefined) {
  const scope = currentScope()
  if (scope && identity) scope.identity = identity
}

/** The token of an `Authorization: Bearer` header (RFC 6750 §2.1); undefined when there is none. */
export function findBearerToken(header: string | undefined): string | undefined {
  return header === undefined ? undefined : /^bearer +([^\s]+) *$/i.exec(header)?.[1]
}

/** The same for who can't do without. Throws AppError `UNAUTHENTICATED`. */
export function bearerToken(header: string | undefined): string {
  const token = findBearerToken(header)
  if (token !== undefined) return token
  throw new AppError('UNAUTHENTICATED', 'Unauthorized', {
    detail: 'Send a token as "Authorization: Bearer …"; msvc token makes one',
    headers: { 'www-authenticate': 'Bearer' },
  })
}
