import { addressOf, type Section, type Settings } from '../../kit/config/schema.ts'
import type { Route } from '../../roles/gateway/route-table.ts'
import { routesIn } from './gateway-routes.ts'

/** A request that a gateway takes, for a person to begin with. */
export interface FirstRequest {
  readonly method: string
  readonly url: string
  /** The name to ask by, where the gateway takes no address for one. */
  readonly host?: string
  /** What its token must allow, and what else its route wants of one. */
  readonly scopes: readonly string[]
  /** Whether it makes a user. */
  readonly makesUser: boolean
}

/** Services by their registered name, each with a path at which it answers, as far as one is known. */
export type AnsweringServices = ReadonlyMap<string, string | undefined>

/**
 * The first request to a gateway with this section: one that makes a user where users are routed as they are built in, else one to the first
 * route, to be read if it can be. Only services that run are asked. Undefined when none of them is routed.
 * @param url where it listens
 */
export function firstRequest(
  section: Section,
  { auth }: Pick<Settings, 'auth'>,
  url: string,
  services: AnsweringServices,
): FirstRequest | undefined {
  const { host } = section
  const routes = routesIn(section).filter(({ upstream }) => services.has(upstream))
  const users = routes.find(
    ({ prefix, strip_prefix, upstream, methods }) =>
      prefix === '/gateway/api/users' && strip_prefix === '/gateway' && upstream === 'user-service' && methods.POST,
  )
  const makesUser = users !== undefined
  const route = users ?? routes.find(({ methods }) => Object.keys(methods).length > 0)
  if (!route) return undefined
  const [first = 'GET'] = Object.keys(route.methods)
  const method = makesUser ? 'POST' : 'GET' in route.methods ? 'GET' : first
  const path = method === 'GET' ? answeringPath(route, services.get(route.upstream)) : route.prefix
  const scopes = Object.values(route.methods).flatMap((access) => (Array.isArray(access) ? access : []))
  const [name] = auth.mode === 'token' ? auth.hosts : []
  return {
    method,
    url: `${addressOf({ host, port: Number(new URL(url).port) })}${path}`,
    ...(name !== undefined && { host: name }),
    scopes: [...new Set(scopes)],
    makesUser,
  }
}

/** Where the gateway has what the service has at its path; the route itself when it doesn't pass that on. */
function answeringPath({ prefix, strip_prefix = '' }: Route, path: string | undefined): string {
  const asked = path === undefined ? prefix : `${strip_prefix}${path}`
  return asked === prefix || asked.startsWith(`${prefix}/`) ? asked : prefix
}
