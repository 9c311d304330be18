import { firstList } from '../../kit/discovery/first-list.ts'
import { defineRole } from '../../kit/role.ts'
import { GatewayConfig, POLICY_KEYS } from './config.ts'
import { GATEWAY_SERVICE } from './contract.ts'

/** The one entrance: routes, checks tokens, limits, balances and streams; and joins a user with its orders (seed 9.7.4). */
export const gateway = defineRole({
  name: 'gateway',
  service: GATEWAY_SERVICE,
  summary: 'The one entrance: routes, checks tokens, limits, balances',
  port: 8000,
  config: GatewayConfig,
  reloads: POLICY_KEYS,
  needs: ['registry', 'user', 'order'],
  passesOn: true,
  signs: true,
  async start(ctx) {
    // what a gateway is made of is loaded by those who run one, not by all who read a configuration
    const { createGateway } = await import('./gateway.ts')
    const gateway = await createGateway(ctx, await ctx.cache())
    // before its port is open: where that was kept open, requests wait at it
    await firstList(ctx.directory, ctx.signal)
    return gateway
  },
})
