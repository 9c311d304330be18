import { randomUUIDv7 } from 'node:crypto'
import * as z from 'zod'
import { defineRole } from '../../kit/role.ts'
import { InstanceRows, type RegistryTables, registryMigrations } from './instance-rows.ts'
import { LEASE_LIMITS } from './lease.ts'
import { Registry } from './registry.ts'

const Config = z.strictObject({
  /** Seconds a heartbeat is good for. */
  lease_seconds: z
    .number()
    .min(0.1)
    .max(3_600)
    .default(LEASE_LIMITS.leaseMs / 1000),
  /** Share of a service's instances, or of all services, that may vanish at once before none of those is expired any more. */
  max_vanished_share: z.number().min(0).max(1).default(LEASE_LIMITS.maxVanished),
  /** Seconds after which even they expire. */
  preserve_seconds: z
    .number()
    .min(1)
    .max(86_400)
    .default(LEASE_LIMITS.preserveMs / 1000),
  /** Seconds between two health checks of an instance that passes. */
  check_seconds: z.number().min(0.1).max(3_600).default(10),
  max_instances: z.int().min(1).max(1_000_000).default(10_000),
  /** Share of these that one service may have. */
  service_share: z.number().min(0).max(1).default(0.1),
})

/** Who is alive where (seed 9.7.5): leases kept up by heartbeats, given out one healthy instance at a time, or watched as a stream. */
export const registry = defineRole({
  name: 'registry',
  service: 'registry',
  summary: 'Knows which instances of each service live, and where',
  port: 8500,
  config: Config,
  needs: [],
  keeps: { migrations: registryMigrations },
  agreesIn: 'cache',
  async start(ctx) {
    const { clock, log, signal, waits, config } = ctx
    const store = await ctx.store<RegistryTables>(registryMigrations, { expendable: true })
    const cache = await ctx.cache()
    const held = new Registry({
      clock,
      log,
      signal,
      rows: new InstanceRows(store, log, ctx.registryUrl),
      limits: {
        leaseMs: config.lease_seconds * 1000,
        maxVanished: config.max_vanished_share,
        preserveMs: config.preserve_seconds * 1000,
      },
      maxInstances: config.max_instances,
      maxPerService: Math.max(1, Math.floor(config.max_instances * config.service_share)),
      checkIntervalMs: config.check_seconds * 1000,
      newId: randomUUIDv7,
      ...(cache.shared && { among: { cache, holder: ctx.instance } }),
    })
    ctx.defer(() => held.close())
    await held.open()

    ctx.metrics.gauge({
      name: 'registry_instances',
      help: 'Instances known, by health',
      labelNames: ['health'],
      collect() {
        const { healthy, unhealthy } = held.instances.count()
        this.set({ health: 'healthy' }, healthy)
        this.set({ health: 'unhealthy' }, unhealthy)
      },
    })
    const { registryRoutes } = await import('./routes.ts')
    return { app: registryRoutes({ registry: held, run: randomUUIDv7(), clock, waits, log }) }
  },
})
