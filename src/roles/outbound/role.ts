import { firstList } from '../../kit/discovery/first-list.ts'
import { defineRole } from '../../kit/role.ts'
import { OutboundConfig } from './config.ts'

/**
 * The doors through which users' services call others, each by a plain HTTP client to a port of this machine: balanced, tried again where that is safe,
 * behind circuit breakers, in one trace. Not a sidecar for each, but one process for all.
 */
export const outbound = defineRole({
  name: 'outbound',
  service: 'outbound',
  summary: 'What <NAME>_URL points at: balances and retries calls',
  port: 8400,
  config: OutboundConfig,
  reloads: ['doors'],
  needs: ['registry'],
  inUp: false,
  signs: true,
  async start(ctx) {
    // what it is made of is loaded by those who run one, not by all who read a configuration
    const { createOutbound } = await import('./outbound.ts')
    return {
      ...createOutbound(ctx),
      ready: (signal) => firstList(ctx.directory, signal),
    }
  },
})
