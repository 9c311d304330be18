import { isAbsolute } from 'node:path'
import * as z from 'zod'
import { readMountedKey } from '../../kit/auth/secret-key.ts'
import { defineRole } from '../../kit/role.ts'
import { LIVE_SETTINGS } from '../live-settings.ts'
import { followChangesElsewhere } from './changes-elsewhere.ts'
import { type ConfigTables, configMigrations } from './config-rows.ts'
import { Configs } from './configs.ts'
import { createSealer } from './sealed-values.ts'
import { unseenValues } from './unseen-values.ts'

const KeyPath = z.string().refine(isAbsolute, {
  error: ({ input }) => `expected an absolute path such as /run/secrets/config-key, got ${JSON.stringify(input)}`,
})

const Config = z.strictObject({
  /** Versions of each configuration that a rollback can go back to. */
  keep_versions: z.int().min(1).max(10_000).default(100),
  max_configs: z.int().min(1).max(1_000_000).default(10_000),
  /** Share of these that one caller may have made, in token mode. */
  caller_share: z.number().min(0).max(1).default(0.1),
  /** Where the key is that secrets are sealed with; several servers, and one whose data folder may be lost, need one file. Default: made in the data folder. */
  key_file: KeyPath.optional(),
})

/** Values per service and environment (seed 9.7.7): versioned, watched, secrets encrypted at rest. */
export const configServer = defineRole({
  name: 'config-server',
  service: 'config-server',
  summary: 'Keeps values of services, with versions and secrets',
  port: 8600,
  config: Config,
  needs: ['registry'],
  agreesIn: 'store',
  keeps: { migrations: configMigrations, remarks: unseenValues },
  async start(ctx) {
    const { clock, log, waits, authority, service, config, signal } = ctx
    const store = await ctx.store<ConfigTables>(configMigrations)
    const sealer = createSealer(
      config.key_file === undefined ? await ctx.secretKey('config-values') : readMountedKey(config.key_file),
    )
    const configs = new Configs({
      store,
      sealer,
      clock,
      log,
      live: LIVE_SETTINGS,
      keepVersions: config.keep_versions,
      maxConfigs: config.max_configs,
      maxPerCaller: Math.max(1, Math.floor(config.max_configs * config.caller_share)),
    })
    await followChangesElsewhere({ configs, store, log, signal })
    const { configRoutes } = await import('./routes.ts')
    return { app: configRoutes({ configs, store, authority, service, live: LIVE_SETTINGS, waits, log }) }
  },
})
