import { Hono } from 'hono'
import type { Check } from '../context.ts'
import { messageOf } from '../errors.ts'
import { route } from '../http/route.ts'
import type { AppEnv } from '../role.ts'
import type { Metrics } from '../telemetry/metrics.ts'

/** Longest a health check may take, milliseconds. */
const CHECK_MS = 1_000

const PROBES: ReadonlySet<string> = new Set(['/health', '/livez', '/readyz', '/metrics', '/openapi.json'])

/** Whether a path is one of the kit's own, asked by machines every few seconds: it begins no trace and no log entry. */
export function isProbe(path: string): boolean {
  return PROBES.has(path)
}

/** What the health paths tell. */
export interface HealthOptions {
  readonly service: string
  readonly version: string
  readonly checks: ReadonlyMap<string, Check>
  /** Whether the role takes requests: false before it has started, and as soon as it is stopping. */
  readonly isReady: () => boolean
  readonly metrics: Metrics
  readonly now: () => number
}

/** The paths every role has: `/health`, `/livez`, `/readyz`, `/metrics` (design §5; seed 9.7.2, 9.7.11). */
export function health({ service, version, checks, isReady, metrics, now }: HealthOptions): Hono<AppEnv> {
  const app = new Hono<AppEnv>()

  app.get('/health', route({ summary: 'How it is, and what ails it', scope: 'public' }), async (c) => {
    const results = await runChecks(checks)
    const healthy = Object.values(results).every((result) => result === 'ok')
    const status = healthy ? 'healthy' : 'unhealthy'
    const timestamp = new Date(now()).toISOString()
    return c.json({ status, service, version, timestamp, checks: results }, healthy ? 200 : 503)
  })
  app.get('/livez', route({ summary: 'Whether the process answers', scope: 'public' }), (c) => c.json({ live: true }))
  app.get('/readyz', route({ summary: 'Whether it takes requests', scope: 'public' }), async (c) => {
    const results: Record<string, string> = isReady() ? await runChecks(checks) : { process: 'not taking requests' }
    const why = Object.fromEntries(Object.entries(results).filter(([, result]) => result !== 'ok'))
    const ready = Object.keys(why).length === 0
    return c.json({ ready, why }, ready ? 200 : 503)
  })
  app.get('/metrics', route({ summary: 'Metrics (Prometheus)', scope: 'metrics:read' }), async (c) =>
    c.body(await metrics.text(), 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }),
  )
  return app
}

async function runChecks(checks: ReadonlyMap<string, Check>): Promise<Record<string, string>> {
  const results = await Promise.all(
    [...checks].map(async ([name, check]): Promise<[string, string]> => {
      try {
        await check(AbortSignal.timeout(CHECK_MS))
        return [name, 'ok']
      } catch (fault) {
        return [name, messageOf(fault)]
      }
    }),
  )
  return Object.fromEntries(results)
}
