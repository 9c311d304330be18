import type { MiddlewareHandler } from 'hono'
import { type Asker, askerFromHeaders, CALLER_HEADER, LOCAL, NOBODY } from '../auth/asker.ts'
import type { Authority } from '../auth/authority.ts'
import { demandOfPassedOn, demandScopes } from '../auth/scope-demand.ts'
import { AppError } from '../errors.ts'
import type { AppEnv } from '../http/app-env.ts'
import { currentScope } from '../telemetry/scope.ts'
import { wantedScopes } from './wanted-scopes.ts'

/** What tells who asks. */
export interface AuthOptions {
  readonly authority: Authority
  /** The audience a token must be meant for: this service. */
  readonly service: string
}

/**
 * Finds out who asks, and leaves it in the scope (design §6), unless that is known already. In local mode a role is open to local callers and
 * believes their word. In token mode it wants a JWT for its own audience that allows the scope of the route, and believes a word about somebody
 * else only from who passes on, who is nobody without one. What a gateway passed on is judged by who asks there, in both modes: the gateway lends
 * nobody a scope. Whatever is answered is behind this link: a route that declares no scope is refused.
 * Throws AppError `UNAUTHENTICATED`, `FORBIDDEN`.
 */
export function auth({ authority, service }: AuthOptions): MiddlewareHandler<AppEnv> {
  if (authority.mode === 'local') {
    return function auth(c, next) {
      const asker = askerFromHeaders((name) => c.req.header(name))
      if (asker && c.req.header(CALLER_HEADER) !== undefined) {
        const wanted = wantedScopes(c)
        if (wanted) demandOfPassedOn(asker, scopesIn(wanted))
      }
      remember(asker ?? LOCAL)
      return next()
    }
  }
  return async function auth(c, next) {
    const wanted = wantedScopes(c)
    if (wanted?.[0] === 'public' && wanted.length === 1) return next()
    const caller = await authority.verify(bearerToken(c.req.header('authorization')), service)
    const asker = caller.passesOn ? (askerFromHeaders((name) => c.req.header(name)) ?? NOBODY) : caller
    if (wanted) {
      const scopes = scopesIn(wanted)
      if (caller.passesOn) demandOfPassedOn(asker, scopes)
      else demandScopes(caller, scopes)
    }
    remember(asker)
    return next()
  }
}

/** The scopes among what routes want. Throws AppError `FORBIDDEN` where nothing is declared. */
function scopesIn(wanted: readonly string[]): readonly string[] {
  if (wanted.length > 0) return wanted.filter((scope) => scope !== 'token' && scope !== 'public')
  throw new AppError('FORBIDDEN', 'Forbidden', { detail: 'This route declares no scope: it is open to nobody' })
}

function remember(asker: Asker) {
  const scope = currentScope()
  if (scope) scope.asker ??= asker
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
