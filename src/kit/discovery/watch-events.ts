import * as z from 'zod'

/** An instance on the registry's wire. */
export const WireInstance = z.object({
  id: z.string(),
  service_name: z.string(),
  host: z.string(),
  port: z.int().min(1).max(65_535),
  url: z.string(),
  tags: z.array(z.string()),
  metadata: z.record(z.string(), z.string()),
})

/** First event of /registry/watch: all that is healthy. `registry` names the registry's run: another one may know less than the last did. */
export const Snapshot = z.object({ registry: z.string(), revision: z.int(), instances: z.array(WireInstance) })
/** An instance became healthy, or changed while it was. */
export const Up = z.object({ revision: z.int(), instance: WireInstance })
/** An instance must not be called any more. */
export const Down = z.object({ revision: z.int(), id: z.string(), service_name: z.string(), reason: z.string() })

/** Names of the watch stream's events. */
export const WATCH_EVENTS = { snapshot: 'snapshot', up: 'up', down: 'down' } as const
