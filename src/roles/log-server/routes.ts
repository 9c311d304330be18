import { Hono } from 'hono'
import type { AppEnv } from '../../kit/role.ts'
import { type LogRoutes, logRoutes } from './log-routes.ts'
import { type TraceRoutes, traceRoutes } from './trace-routes.ts'

/** All of the log server's routes. */
export function routes(logs: LogRoutes, traces: TraceRoutes): Hono<AppEnv> {
  return new Hono<AppEnv>().route('/', logRoutes(logs)).route('/', traceRoutes(traces))
}
