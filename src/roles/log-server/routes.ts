import { Hono } from 'hono'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { type LogRoutesOptions, logRoutes } from './log-routes.ts'
import { type TraceRoutesOptions, traceRoutes } from './trace-routes.ts'

/** All of the log server's routes. */
export function logServerRoutes(logs: LogRoutesOptions, traces: TraceRoutesOptions): Hono<AppEnv> {
  return new Hono<AppEnv>().route('/', logRoutes(logs)).route('/', traceRoutes(traces))
}
