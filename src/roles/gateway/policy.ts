import { type GatewayConfig, routesOf } from './config.ts'
import { TOKEN_PATH } from './own-paths.ts'
import { type Limiter, Limiters, type MakeLimiter } from './rate-limits.ts'
import { type RateLimit, type Route, type RouteTable, routeTable } from './route-table.ts'

/** A route with what counts by its limits: one for methods that read, one for those that write; undefined where there is none. */
export interface LimitedRoute extends Route {
  readonly reads: Limiter | undefined
  readonly writes: Limiter | undefined
}

/** All that requests are let in by. It never changes: another one takes its place, and a request that has begun by one ends by it. */
export interface Policy {
  readonly table: RouteTable<LimitedRoute>
  /** Milliseconds that the gateway's own paths may take, counted from the beginning. */
  readonly deadline_ms: number
  /** Limits the paths at which tokens are renewed and revoked; undefined: no limit. */
  readonly tokens: Limiter | undefined
}

/** Makes what compiles policies, one after the other: what a limit has counted outlives the policy, for as long as the next ones have the same limit. */
export function policies(makeLimiter: MakeLimiter): (config: GatewayConfig) => Policy {
  const limiters = new Limiters(makeLimiter)
  return function compile(config) {
    const routes = routesOf(config)
    const limits = routes.flatMap(({ name, read_limit, write_limit }) => [
      { name: readsOf(name), limit: read_limit },
      { name: writesOf(name), limit: write_limit },
    ])
    const given = [...limits, { name: TOKEN_PATH, limit: config.write_limit }].flatMap(
      ({ name, limit }): readonly [string, RateLimit][] => (limit ? [[name, limit]] : []),
    )
    const held = limiters.set(new Map(given))
    const limited = routes.map((route) => ({
      ...route,
      reads: held.get(readsOf(route.name)),
      writes: held.get(writesOf(route.name)),
    }))
    return { table: routeTable(limited), deadline_ms: config.deadline_ms, tokens: held.get(TOKEN_PATH) }
  }
}

const readsOf = (route: string) => `${route} reads`
const writesOf = (route: string) => `${route} writes`
