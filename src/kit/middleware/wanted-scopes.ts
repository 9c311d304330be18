import type { Context } from 'hono'
import { matchedRoutes } from 'hono/route'
import { findTargetHandler } from 'hono/utils/handler'
import type { AppEnv } from '../http/app-env.ts'
import { scopeOf } from '../http/route.ts'

/**
 * The scopes that the routes behind this link of the chain declare for a request; undefined when no route fits it. Empty when the one that
 * will answer declares none.
 */
export function wantedScopes(c: Context<AppEnv>): readonly string[] | undefined {
  const behind = matchedRoutes(c).slice(c.req.routeIndex + 1)
  const path = behind[0]?.path
  if (path === undefined) return undefined
  const declared = behind.flatMap((route) => {
    const scope = scopeOf(findTargetHandler(route.handler))
    return scope === undefined ? [] : [{ path: route.path, scope }]
  })
  // another pattern that fits too doesn't speak for the first, which is the one that answers
  return declared.some((route) => route.path === path) ? [...new Set(declared.map(({ scope }) => scope))] : []
}
