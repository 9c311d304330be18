import { defineRole } from '../../kit/role.ts'
import { BrokerConfig } from './config.ts'

/** Topics, durable, at least once (seed 9.7.12). */
export const broker = defineRole({
  name: 'broker',
  service: 'broker',
  summary: 'Delivers messages by topic: durable, at least once',
  port: 8300,
  config: BrokerConfig,
  needs: ['registry'],
  agreesIn: 'bus',
  // a push brings a token for whose subscription it is
  signs: true,
  async start(ctx) {
    // what a broker is made of is loaded by those who run one, not by all who read a configuration
    const { startBroker } = await import('./broker.ts')
    const { app } = await startBroker(ctx)
    return { app }
  },
})
