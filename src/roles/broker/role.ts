import { defineRole } from '../../kit/role.ts'
import { startBroker } from './broker.ts'
import { BrokerConfig } from './config.ts'

/** Topics, durable, at least once (seed 9.7.12). */
export const broker = defineRole({
  name: 'broker',
  service: 'broker',
  summary: 'topics, durable, at least once',
  port: 8300,
  config: BrokerConfig,
  needs: ['registry'],
  async start(ctx) {
    const { app } = await startBroker(ctx)
    return { app }
  },
})
