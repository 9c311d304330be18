import { RetryBudget } from '../../kit/client/retry.ts'
import { createBalancer } from '../../kit/discovery/balancer.ts'
import { defineRole } from '../../kit/role.ts'
import { aggregateMethods } from './aggregate.ts'
import { GatewayConfig, routesOf } from './config.ts'
import { GATEWAY_SERVICE } from './contract.ts'
import { corsPolicy } from './cors.ts'
import { headerFilter } from './forwarded-headers.ts'
import { gatewayMetrics } from './gateway-metrics.ts'
import { createProxy } from './proxy.ts'
import { gatewayRoutes } from './routes.ts'
import { createUpstreams } from './upstream/upstreams.ts'
import { startWatchdog } from './upstream/watchdog.ts'

/** Longest wait at the start for the services behind the routes to be known, milliseconds. */
const DISCOVERY_MS = 1_000

/** The one entrance: routes, checks tokens, limits, balances and streams; and joins a user with its orders (seed 9.7.4). */
export const gateway = defineRole({
  name: 'gateway',
  service: GATEWAY_SERVICE,
  summary: 'the one entrance: routes, checks tokens, limits, balances',
  port: 8000,
  config: GatewayConfig,
  needs: ['registry', 'user', 'order'],
  async start(ctx) {
    const { config, authority, directory, clock, log, service } = ctx
    const upstreams = createUpstreams({ directory, clock })
    ctx.defer(() => upstreams.close())
    const watchdog = startWatchdog({ clock })
    ctx.defer(() => watchdog.stop())
    const handle = createProxy({
      routes: routesOf(config),
      cors: corsPolicy(config.cors),
      ownMethods: aggregateMethods,
      service,
      authority,
      directory,
      balancer: createBalancer({ clock }),
      budget: new RetryBudget(clock),
      upstreams,
      watchdog,
      headers: headerFilter(),
      metrics: gatewayMetrics(ctx.metrics),
      log,
      clock,
    })
    const app = gatewayRoutes({
      users: ctx.client('user-service'),
      orders: ctx.client('order-service'),
      authority,
      service,
    })
    return { app, handle, origins: config.cors.origins, ready }

    /** Waits a moment for the directory, so that the first request after a start doesn't come too early; a service may be down, though. */
    async function ready(signal: AbortSignal): Promise<void> {
      const patience = AbortSignal.any([signal, AbortSignal.timeout(DISCOVERY_MS)])
      const upstreams = new Set(config.routes.map((route) => route.upstream))
      await Promise.allSettled([...upstreams].map((upstream) => directory.waitFor(upstream, patience)))
    }
  },
})
