import type { Env } from 'hono'
import { Hono } from 'hono'
import * as z from 'zod'
import type { Clock } from '../../drivers/clock.ts'
import type { Authority } from '../auth/authority.ts'
import { JWKS_PATH } from '../auth/key-set.ts'
import { createRemoteAuthority } from '../auth/remote-authority.ts'
import { TokenFile } from '../auth/token-file.ts'
import { runRole } from '../host.ts'
import type { AppEnv } from '../http/app-env.ts'
import { askKeySet } from '../http/key-set-call.ts'
import { type AnyRole, defineRole } from '../role.ts'
import type { LogSink } from '../telemetry/log.ts'
import type { RunningService, ServiceDefinition, Variables } from './definition.ts'
import type { ServiceEnvironment } from './service-environment.ts'
import { readOwn, setUp } from './service-setup.ts'

/** What a service is run in. */
export interface ServiceRun {
  readonly variables: Variables
  /** What relative paths start from. */
  readonly folder: string
  readonly clock: Clock
  /** Where its log goes besides the log server. */
  readonly sinks: readonly LogSink[]
}

/**
 * Starts a service as the platform starts its roles, with what the environment says instead of a configuration. Resolves when it is ready.
 * Rejects with AppError: `CONFIG_INVALID` with all faults, `START_FAILED`; and with what its `start` threw.
 */
export async function startService<E extends Env>(
  definition: ServiceDefinition<E>,
  { variables, folder, clock, sinks }: ServiceRun,
): Promise<RunningService> {
  const { token, ...setup } = await setUp(definition, { variables, folder })
  const authority = token && (await authorityBy(token, clock))
  return runRole(roleOf(definition, variables), {
    ...setup,
    ...(authority && { authority }),
    version: definition.version ?? '0.0.0',
    clock,
    sinks,
  })
}

/** Whom a service in token mode believes, and what it shows. Rejects with AppError `CONFIG_INVALID` for a file without a good token. */
async function authorityBy(
  { file, gatewayUrl }: NonNullable<ServiceEnvironment['token']>,
  clock: Clock,
): Promise<Authority> {
  const own = new TokenFile(file, clock)
  const { issuer } = await own.token()
  return createRemoteAuthority({
    issuer,
    clock,
    ownToken: async () => (await own.token()).text,
    askKeys: () => askKeySet(`${gatewayUrl.replace(/\/+$/, '')}${JWKS_PATH}`),
  })
}

/** The role that a service is to the kit. */
function roleOf<E extends Env>(definition: ServiceDefinition<E>, variables: Variables): AnyRole {
  const { name, summary = name, port = 0, live, start } = definition
  return defineRole({
    name,
    service: name,
    summary,
    port,
    config: z.object({}),
    ...(live && { live }),
    needs: [],
    async start(ctx) {
      const { service, instance, version, environment, log, metrics, messaging, client, signal, check, defer } = ctx
      const { clock, store, remoteConfig: config } = ctx
      const app = new Hono<AppEnv>()
      const own = { service, instance, version, environment, log, metrics, messaging, client, signal, check, defer }
      const env = <S extends z.ZodObject>(schema: S) => readOwn(schema, variables)
      const parts = (await start({ ...own, clock, store, config, app, env })) ?? {}
      if (parts.app) app.route('/', parts.app)
      return { app, ...(parts.ready && { ready: parts.ready }) }
    },
  })
}
