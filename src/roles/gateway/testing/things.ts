import type * as z from 'zod'
import type { GatewayConfig } from '../config.ts'

const MB = 1_048_576

/** A gateway before a service that takes everything, bodies of up to 1 GB too. */
export const THINGS: z.input<typeof GatewayConfig> = {
  routes: {
    things: {
      prefix: '/things',
      upstream: 'thing-service',
      methods: { GET: 'public', HEAD: 'public', POST: 'public', PUT: 'public' } as const,
    },
  },
  body_limit: 1_024 * MB,
}
