import { aborted } from '../../kit/pause.ts'
import { defineRole } from '../../kit/role.ts'
import { GatewayConfig } from './config.ts'
import { GATEWAY_SERVICE } from './contract.ts'

/** Longest wait at the start for the registry to say who is there, milliseconds. */
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
    // what a gateway is made of is loaded by those who run one, not by all who read a configuration
    const { createGateway } = await import('./gateway.ts')
    return {
      ...(await createGateway(ctx, await ctx.cache())),
      /** Waits a moment for the directory, so that the first request after a start doesn't come too early; a service may be down, though. */
      ready: (signal) =>
        Promise.race([ctx.directory.settled, aborted(AbortSignal.any([signal, AbortSignal.timeout(DISCOVERY_MS)]))]),
    }
  },
})
