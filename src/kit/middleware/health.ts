import { Hono } from 'hono'
import { toldOf } from '../errors.ts'
import type { Failing, HealthCheck } from '../health-check.ts'
import type { AppEnv } from '../http/app-env.ts'
import { route } from '../http/route.ts'
import { behindPart } from '../part-words.ts'
import { aborted } from '../pause.ts'
import type { Metrics } from '../telemetry/metrics.ts'

/** Longest a health check may take, milliseconds. */
const CHECK_MS = 1_000

/** What the health paths tell. */
export interface HealthOptions {
  readonly service: string
  readonly version: string
  readonly checks: ReadonlyMap<string, HealthCheck>
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
    const status = worst(results)
    const timestamp = new Date(now()).toISOString()
    const told = Object.fromEntries(results.map(({ name, fault }) => [name, fault ?? 'ok']))
    return c.json({ status, service, version, timestamp, checks: told }, status === 'unhealthy' ? 503 : 200)
  })
  app.get('/livez', route({ summary: 'Whether the process answers', scope: 'public' }), (c) => c.json({ live: true }))
  app.get('/readyz', route({ summary: 'Whether it takes requests', scope: 'public' }), async (c) => {
    const vital = new Map([...checks].filter(([, { failing }]) => failing === 'unhealthy'))
    const results = isReady() ? await runChecks(vital) : [NOT_READY]
    const failed = results.filter(({ fault }) => fault !== undefined)
    const why = Object.fromEntries(failed.map(({ name, fault }) => [name, fault]))
    const ready = Object.keys(why).length === 0
    return c.json({ ready, why }, ready ? 200 : 503)
  })
  app.get('/metrics', route({ summary: 'Metrics (Prometheus)', scope: 'metrics:read' }), async (c) =>
    c.body(await metrics.text(), 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }),
  )
  return app
}

/** What a check said. */
interface Result {
  readonly name: string
  readonly failing: Failing
  /** Why it failed; undefined when it didn't. */
  readonly fault?: string
}

const NOT_READY: Result = { name: 'process', failing: 'unhealthy', fault: 'not taking requests' }

function worst(results: readonly Result[]): 'healthy' | Failing {
  const failed = results.filter(({ fault }) => fault !== undefined)
  if (failed.length === 0) return 'healthy'
  return failed.some(({ failing }) => failing === 'unhealthy') ? 'unhealthy' : 'degraded'
}

function runChecks(checks: ReadonlyMap<string, HealthCheck>): Promise<readonly Result[]> {
  return Promise.all(
    [...checks].map(async ([name, { check, failing }]): Promise<Result> => {
      const late = AbortSignal.timeout(CHECK_MS)
      try {
        await Promise.race([check(late), aborted(late).then(tooLate)])
        return { name, failing }
      } catch (fault) {
        return { name, failing, fault: behindPart(name, toldOf(fault)) }
      }
    }),
  )
}

/** Rejects in the next turn of the loop: a check that hears of its end and knows more has the word. */
function tooLate(): Promise<never> {
  return new Promise((_, reject) => setImmediate(() => reject(`no answer within ${CHECK_MS} ms`)))
}
