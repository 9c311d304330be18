import type { Cache } from '../../drivers/cache/contract.ts'
import { RetryBudget } from '../../kit/client/retry.ts'
import type { RoleContext } from '../../kit/context.ts'
import { openForwardingConnections } from '../../kit/forwarding/connections.ts'
import type { Running } from '../../kit/role.ts'
import { createRecoveringBalancer } from '../../kit/upstream/recovery.ts'
import { ORDER_SERVICE } from '../order/contract.ts'
import { USER_SERVICE } from '../user/contract.ts'
import { type GatewayConfig, poolLimitsOf } from './config.ts'
import { corsPolicy } from './cors.ts'
import { headerFilter } from './forwarded-headers.ts'
import { type GatewayMetrics, gatewayMetrics } from './gateway-metrics.ts'
import { ownMethods } from './own-paths.ts'
import { passingOn } from './passing-on.ts'
import { policies } from './policy.ts'
import { createProxy } from './proxy.ts'
import { type MakeLimiter, ownLimiters } from './rate-limits.ts'
import { originRule } from './request-origin.ts'
import { Revocations } from './revocations.ts'
import { gatewayRoutes } from './routes.ts'
import { SharedLimits } from './shared-limits.ts'

/** What a gateway needs of its role's context. */
export type GatewayContext = Pick<
  RoleContext<GatewayConfig>,
  | 'config'
  | 'service'
  | 'authority'
  | 'revocationFiles'
  | 'directory'
  | 'clock'
  | 'log'
  | 'metrics'
  | 'client'
  | 'signal'
  | 'defer'
>

/**
 * Puts a gateway together: the proxy in front, and behind it the routes that it answers itself.
 * @param cache where it counts together with other gateways, if it is shared
 */
export async function createGateway(
  ctx: GatewayContext,
  cache: Cache,
): Promise<Required<Pick<Running<GatewayConfig>, 'app' | 'handle' | 'origins' | 'linkable' | 'reload'>>> {
  const { config, authority, directory, clock, log, service } = ctx
  const { upstreams, watchdog, probing } = openForwardingConnections({ ...ctx, limits: poolLimitsOf(config) })
  const metrics = gatewayMetrics(ctx.metrics)
  const revocations = new Revocations({
    files: ctx.revocationFiles(),
    table: cache.table('revoked-tokens'),
    clock,
    log,
  })
  ctx.defer(() => revocations.close())
  await revocations.open()
  authority.heed((id) => revocations.has(id))
  const compile = policies(limitersOf(ctx, cache, metrics))
  let policy = compile(config)
  const handle = createProxy({
    policy: () => policy,
    cors: corsPolicy(config.cors),
    ownMethods,
    service,
    authority,
    directory,
    balancer: createRecoveringBalancer({ clock, directory, ...probing }),
    budget: new RetryBudget(clock),
    upstreams,
    watchdog,
    originOf: originRule(config.trusted_proxies),
    forwarder: passingOn({ service, authority, headers: headerFilter(config.strip_headers), metrics }),
    metrics,
    log,
    clock,
    stopping: ctx.signal,
  })
  const app = gatewayRoutes({
    users: ctx.client(USER_SERVICE),
    orders: ctx.client(ORDER_SERVICE),
    authority,
    service,
    revocations,
    limiter: () => policy.tokens,
    metrics,
  })
  return {
    app,
    handle,
    origins: config.cors.origins,
    linkable: true,
    reload(changed) {
      policy = compile(changed)
      return {}
    },
  }
}

/** What counts by limits: this gateway alone, or all of them together. */
function limitersOf(ctx: GatewayContext, cache: Cache, metrics: GatewayMetrics): MakeLimiter {
  const { clock, directory, log, service } = ctx
  if (!cache.shared) return ownLimiters(clock)
  const limits = new SharedLimits({ cache, clock, log, metrics, replicas: () => directory.instances(service).length })
  ctx.defer(() => limits.close())
  return (name, limit) => limits.limiter(name, limit)
}
