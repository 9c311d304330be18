import * as z from 'zod'
import { defineRole } from '../../kit/role.ts'
import { startBroker } from './broker.ts'

/** Topics, durable, at least once (seed 9.7.12). */
export const broker = defineRole({
  name: 'broker',
  service: 'broker',
  summary: 'topics, durable, at least once',
  port: 8300,
  config: z.strictObject({}),
  needs: ['registry'],
  async start(ctx) {
    const { app } = await startBroker(ctx)
    return { app }
  },
})
