import { Hono } from 'hono'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { type LogRoutesOptions, logRoutes } from './log-routes.ts'
import { otlpRoutes } from './otlp/routes.ts'
import { type TraceRoutesOptions, traceRoutes } from './trace-routes.ts'

/** All of the log server's routes. */
export function logServerRoutes(logs: LogRoutesOptions, traces: TraceRoutesOptions): Hono<AppEnv> {
  const otlp = otlpRoutes({
    clock: logs.clock,
    async addSpans(spans) {
      await traces.spans.add(spans)
      traces.onAccepted(spans.length)
    },
    async addLogs(records) {
      await logs.entries.add(records)
      logs.onAccepted(records.length)
    },
  })
  return new Hono<AppEnv>().route('/', logRoutes(logs)).route('/', traceRoutes(traces)).route('/', otlp)
}
