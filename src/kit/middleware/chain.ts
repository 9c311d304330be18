import { Hono } from 'hono'
import { routePath } from 'hono/route'
import type { Clock } from '../../drivers/clock.ts'
import type { Authority } from '../auth/authority.ts'
import type { HealthCheck } from '../health-check.ts'
import type { AppEnv } from '../http/app-env.ts'
import type { Layer } from '../http/exchange.ts'
import { isProbe } from '../http/probes.ts'
import type { Running } from '../role.ts'
import type { Log } from '../telemetry/log.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Tracing } from '../telemetry/tracing.ts'
import { accessLog } from './access-log.ts'
import { auth } from './auth.ts'
import { compression } from './compression.ts'
import { errors } from './errors.ts'
import { guard } from './guard.ts'
import { health } from './health.ts'
import { metrics } from './metrics.ts'
import { openapi } from './openapi.ts'
import { requestId } from './request-id.ts'
import { tracing } from './tracing.ts'

/** All that the links of the chain need. */
export interface ChainOptions {
  readonly service: string
  readonly summary: string
  readonly version: string
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly tracing: Tracing
  readonly authority: Authority
  /** Host names served besides loopback ones, and foreign origins let in. */
  readonly hosts: readonly string[]
  readonly origins: readonly string[]
  /** Whether pages elsewhere may link to it. */
  readonly linkable: boolean
  readonly checks: ReadonlyMap<string, HealthCheck>
  readonly isReady: () => boolean
}

/** The outer half of the chain, by which port a request came. */
export interface OuterChain {
  /** The role's own port. */
  readonly own: readonly Layer[]
  /** Its loopback ports: they serve loopback names and no page of elsewhere, whatever is configured. */
  readonly loopback: readonly Layer[]
}

/**
 * The outer half of the one chain all roles have, on node:http level: request id → tracing → metrics → access log → guard.
 * It sees every request, those that are streamed past Hono too, and costs a few microseconds.
 */
export function outerChain(options: ChainOptions): OuterChain {
  const { hosts, origins, linkable, authority } = options
  const loopback = authority.mode === 'local' || hosts.length === 0
  const layers = [requestId(), tracing(options), metrics(options), accessLog(options)]
  const own = guard({ hosts, origins, loopback, linkable, addresses: authority.mode === 'token' })
  const nobodyElse = guard({ hosts: [], origins: [], loopback: true, linkable: false, addresses: false })
  return { own: [...layers, own], loopback: [...layers, nobodyElse] }
}

/** The inner half, on Hono: errors → compression → auth → health, metrics, openapi and the role's routes. */
export function innerChain(running: Running, options: ChainOptions): Hono<AppEnv> {
  const { service, summary, version, clock, log } = options
  const app = new Hono<AppEnv>()
  errors(app, log, running.refusal)
  app.use(function nameRoute(c, next) {
    const { exchange } = c.env
    if (exchange) exchange.route = isProbe(exchange.path) ? exchange.path : (nameOf(routePath(c, -1)) ?? exchange.route)
    return next()
  })
  app.use(compression())
  // the last link: it takes what is behind it for the routes
  app.use(auth(options))
  app.route('/', health({ ...options, now: clock.now }))
  app.route('/', openapi({ title: service, version, description: summary, app }))
  app.route('/', running.app)
  return app
}

/** The name of the route that a template stands for; undefined for what is no route of its own. */
function nameOf(template: string): string | undefined {
  if (template.endsWith('*')) return undefined
  return template.includes('{') ? template.replace(PATTERN, '') : template
}

/** What a parameter must look like, in a template such as `/publish/:topic{.+}`: no part of its name. */
const PATTERN = /\{[^}]*\}/g
