import { addressOf, type Section, type Settings } from '../../kit/config/schema.ts'
import { routesIn } from './gateway-routes.ts'

/** A request that a gateway takes, for a person to begin with. */
export interface FirstRequest {
  readonly method: string
  readonly url: string
  /** The name to ask by, where the gateway takes no address for one. */
  readonly host?: string
  /** What its token must allow. */
  readonly scopes: readonly string[]
  /** Whether it makes a user. */
  readonly makesUser: boolean
}

/**
 * The first request to a gateway with this section: one that makes a user where users are routed as they are built in, else one to the first
 * route, to be read if it can be. Undefined when nothing is routed.
 * @param url where it listens
 */
export function firstRequest(
  section: Section,
  { auth }: Pick<Settings, 'auth'>,
  url: string,
): FirstRequest | undefined {
  const { host } = section
  const routes = routesIn(section)
  const users = routes.find(
    ({ prefix, strip_prefix, upstream, methods }) =>
      prefix === '/gateway/api/users' && strip_prefix === '/gateway' && upstream === 'user-service' && methods.POST,
  )
  const makesUser = users !== undefined
  const route = users ?? routes.find(({ methods }) => Object.keys(methods).length > 0)
  if (!route) return undefined
  const [first = 'GET'] = Object.keys(route.methods)
  const method = makesUser ? 'POST' : 'GET' in route.methods ? 'GET' : first
  const access = Object.entries(route.methods).find(([name]) => name === method)?.[1]
  const [name] = auth.mode === 'token' ? auth.hosts : []
  return {
    method,
    url: `${addressOf({ host, port: Number(new URL(url).port) })}${route.prefix}`,
    ...(name !== undefined && { host: name }),
    scopes: Array.isArray(access) ? access : [],
    makesUser,
  }
}
