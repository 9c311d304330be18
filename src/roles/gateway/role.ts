import { defineRole } from '../../kit/role.ts'
import { GatewayConfig, routesOf } from './config.ts'
import { GATEWAY_SERVICE } from './contract.ts'
import { createGateway } from './gateway.ts'

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
  passesOn: true,
  async start(ctx) {
    const { config, directory } = ctx
    return { ...createGateway(ctx), ready }

    /** Waits a moment for the directory, so that the first request after a start doesn't come too early; a service may be down, though. */
    async function ready(signal: AbortSignal): Promise<void> {
      const patience = AbortSignal.any([signal, AbortSignal.timeout(DISCOVERY_MS)])
      const upstreams = new Set(routesOf(config).map((route) => route.upstream))
      await Promise.allSettled([...upstreams].map((upstream) => directory.waitFor(upstream, patience)))
    }
  },
})
