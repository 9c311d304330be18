import type { Way } from '../../kit/forwarding/forwarder.ts'
import { HTTP_METHODS } from '../../kit/http/methods.ts'

type Method = (typeof HTTP_METHODS)[number]

/** Who may use a method: anybody, anybody with a valid token, or a token that holds all of these scopes. */
export type Access = 'public' | 'token' | readonly string[]

/** A token bucket's size (RFC 2697's committed burst) and how fast it refills. */
export interface RateLimit {
  readonly per_second: number
  readonly burst: number
}

/** One entrance of the gateway and the way behind it. */
export interface Route extends Way {
  /** Its own, as the configuration has it. */
  readonly name: string
  /** Whole leading segments of the path, such as `/gateway/api/users`; case-sensitive. The longest one that fits wins. */
  readonly prefix: string
  /** Leading part of `prefix` that the upstream doesn't see. Empty: the path goes on as it came. */
  readonly strip_prefix: string
  /** Who may use which method; a method that isn't listed is answered 405. */
  readonly methods: Readonly<Partial<Record<Method, Access>>>
  /** Limit on methods that change something, per caller. Absent: none. */
  readonly write_limit?: RateLimit | undefined
  /** Limit on methods that only read, per caller. Absent: none. */
  readonly read_limit?: RateLimit | undefined
}

interface Found {
  /** The methods that are listed for the prefix, as in an Allow header. */
  readonly allow: string
  /** Names the prefix in metrics, spans and logs: `/gateway/api/users/*`. */
  readonly template: string
}

/** What the table says about a request. */
type RouteMatch<R extends Route> =
  | (Found & { readonly at: 'route'; readonly route: R; readonly access: Access })
  | (Found & { readonly at: 'wrong-method' })
  | { readonly at: 'no-route' }

/** Finds the route of a request. */
export interface RouteTable<R extends Route = Route> {
  /** What the table says of a request's method and path. @param path percent-decoded */
  match(method: string, path: string): RouteMatch<R>
}

/**
 * Compiles routes for matching: one map lookup for each prefix length that ends on a segment boundary of the path, longest first,
 * however many routes there are. What no route names is `no-route`: the gateway is closed by default.
 * @param routes no two with a prefix and a method in common; the config schema checks them
 * @example routeTable(routes).match('GET', '/gateway/api/users/1') // { at: 'route', route: …, access: 'public' }
 */
export function routeTable<R extends Route>(routes: readonly R[]): RouteTable<R> {
  const byPrefix = new Map(
    [...Map.groupBy(routes, ({ prefix }) => decodeURIComponent(prefix))].map(([prefix, those]) => [
      prefix,
      compile(those[0]?.prefix ?? prefix, those),
    ]),
  )
  const lengths = [...new Set([...byPrefix.keys()].map(({ length }) => length))].sort((a, b) => b - a)

  function lookUp(path: string): CompiledPrefix<R> | undefined {
    for (const length of lengths) {
      if (path.length !== length && path.charCodeAt(length) !== SLASH) continue
      const found = byPrefix.get(path.length === length ? path : path.slice(0, length))
      if (found) return found
    }
    return undefined
  }

  return {
    match(method, path) {
      const found = lookUp(path)
      return found ? (found.byMethod.get(method) ?? found.wrongMethod) : NO_ROUTE
    },
  }
}

/** The target to ask the upstream for: the path as it came, without the segments of the stripped prefix, and the query. */
export function upstreamTarget(route: Route, path: string, query: string): string {
  const rest = path.slice(path.includes('%') ? lengthOfSegments(path, route.strip_prefix) : route.strip_prefix.length)
  return rest === '' ? `/${query}` : rest + query
}

/** How long the first segments of a path are, as many as a prefix has: a client may have spelt them otherwise. */
function lengthOfSegments(path: string, prefix: string): number {
  const count = prefix.split('/').length
  return path.split('/').slice(0, count).join('/').length
}

interface CompiledPrefix<R extends Route> {
  readonly byMethod: ReadonlyMap<string, RouteMatch<R>>
  readonly wrongMethod: RouteMatch<R>
}

function compile<R extends Route>(prefix: string, routes: readonly R[]): CompiledPrefix<R> {
  const listed = HTTP_METHODS.flatMap((method) =>
    routes.flatMap((route) => {
      const access = route.methods[method]
      return access === undefined ? [] : [{ method, route, access }]
    }),
  )
  const found: Found = { allow: listed.map(({ method }) => method).join(', '), template: `${prefix}/*` }
  const byMethod = listed.map(({ method, ...to }) => [method, { ...found, ...to, at: 'route' }] as const)
  return { byMethod: new Map(byMethod), wrongMethod: { ...found, at: 'wrong-method' } }
}

const NO_ROUTE = { at: 'no-route' } as const
const SLASH = 0x2f
