import type { Env, Hono } from 'hono'
import type { Migration } from 'kysely/migration'
import type * as z from 'zod'
import type { Clock } from '../../drivers/clock.ts'
import type { Store } from '../../drivers/store/contract.ts'
import type { ServiceClient } from '../client/service-client.ts'
import type { RemoteConfig } from '../config/changing-values.ts'
import type { Platform } from '../config/schema.ts'
import type { AddCheck } from '../health-check.ts'
import type { AppEnv } from '../http/app-env.ts'
import type { Messaging } from '../messaging/messaging.ts'
import type { Log } from '../telemetry/log.ts'
import type { Metrics } from '../telemetry/metrics.ts'

/** Variables, as a process has them. */
export type Variables = Readonly<Record<string, string | undefined>>

/**
 * What a service is given by its `start`; it opens, listens and registers nothing by itself.
 * @example
 * export async function start({ app, store, log }: ServiceContext) {
 *   const products = createProducts(await store<Tables>(migrations))
 *   app.get('/products', route({ summary: 'List products', scope: 'public' }), async (c) => c.json(await products.list()))
 *   log.info('the shelves are full')
 * }
 */
export interface ServiceContext {
  /** What it is registered as. */
  readonly service: string
  /** This replica's id. */
  readonly instance: string
  readonly version: string
  /** `development`, `production`, … (MSVC_ENVIRONMENT). */
  readonly environment: string
  /** An app to put routes on. */
  readonly app: Hono<AppEnv>
  readonly log: Log
  readonly metrics: Metrics
  readonly clock: Clock
  /** Its way to the broker: publishes, sends what its outbox holds, consumes. */
  readonly messaging: Messaging
  /** Its values in the config server, as they are now. */
  readonly config: RemoteConfig
  /** Fires when stopping begins: end long waits and streams. */
  readonly signal: AbortSignal
  /** Adds a check to `/health` and, unless it only degrades, to `/readyz`. Default `unhealthy`. */
  readonly check: AddCheck
  /** Registers what stop runs, in reverse order, also after a start that failed half way. */
  defer(cleanup: () => Promise<void> | void): void
  /** A client for a service, by its registered name. Same name, same client. */
  client(service: string): ServiceClient
  /**
   * Its own database, the tables up to date; closed and health-checked by the kit: a SQLite file in the data folder, or a PostgreSQL where DATABASE_URL
   * says one. Rejects with what is wrong with it.
   * @param migrations by name, run in the order of their names; each runs once
   */
  store<DB>(migrations: Readonly<Record<string, Migration>>): Promise<Store<DB>>
  /**
   * Variables of the environment that are its own, checked. Throws AppError `CONFIG_INVALID` with all that is wrong with them.
   * @example const { STRIPE_KEY } = env(z.object({ STRIPE_KEY: z.string(), PAGE_SIZE: z.coerce.number().default(50) }))
   */
  env<S extends z.ZodObject>(schema: S): z.output<S>
}

/**
 * What a service is made of once it has started.
 * @example
 * start({ client }) {
 *   return { app: routes(client('user-service')), ready: (signal) => warmUp(signal) }
 * }
 */
export interface ServiceParts<E extends Env = AppEnv> {
  /** Its routes, where they aren't on the context's `app`. */
  readonly app?: Hono<E>
  /** Resolves once it can do its work; it counts as ready from then on. Default: at once. */
  readonly ready?: (signal: AbortSignal) => Promise<void>
}

/**
 * How the platform's parts behave in this service; what `msvc.yaml` says of them for the platform's roles, with the same defaults.
 * @example
 * const settings: ServiceSettings = {
 *   client: { timeout_ms: 2_000, attempts: 2 },
 *   auth: { origins: ['https://shop.example'] },
 *   drain_seconds: 20,
 * }
 */
export type ServiceSettings = Partial<
  Pick<z.input<typeof Platform>, 'client' | 'limits' | 'log' | 'telemetry' | 'drain_seconds' | 'environment'>
> & {
  readonly auth?: Pick<NonNullable<z.input<typeof Platform>['auth']>, 'hosts' | 'origins'>
}

/**
 * A service outside of the platform's own roles. Declaring one does nothing; `run` and `start` do.
 * @example
 * const definition: ServiceDefinition = {
 *   name: 'catalog',
 *   version: '1.4.0',
 *   summary: 'what there is to buy',
 *   live: z.object({ page_size: z.int().min(1).max(500) }),
 *   start,
 * }
 */
export interface ServiceDefinition<E extends Env = AppEnv> {
  /** Its name in the registry, in logs, metrics and traces, unless SERVICE_NAME says another. Small letters, digits, dots, dashes; at most 63. */
  readonly name: string
  /** Default `0.0.0`. */
  readonly version?: string
  /** What it is for, in `/openapi.json`. Default: its name. */
  readonly summary?: string
  /** Where it listens without PORT. Default 0: any free port. */
  readonly port?: number
  /** What it takes from the config server, by key: another value of one of these is warned of. Default: it says nothing. */
  readonly live?: z.ZodObject
  /** Where it keeps its files, unless DATA_DIR says another folder. Default `.data/<name>` in the current one. */
  readonly data?: string
  readonly settings?: ServiceSettings
  /** Puts it together; what it opens itself it gives to `ctx.defer`. */
  start(ctx: ServiceContext): ServiceParts<E> | undefined | Promise<ServiceParts<E> | undefined> | Promise<void> | void
}

/**
 * A service that takes requests.
 * @example
 * const running = await catalog.start()
 * await fetch(`${running.url}/products`)
 * await running.stop()
 */
export interface RunningService {
  /** What it is registered as. */
  readonly service: string
  /** This replica's id. */
  readonly instance: string
  /** Where it listens. */
  readonly url: string
  readonly port: number
  /** Resolves with why it is of no use any more, so that it must be stopped and started anew; never while all is well. */
  readonly broken: Promise<Error>
  /** Leaves the registry, finishes what is under way, closes everything in reverse order. May be called twice. */
  stop(): Promise<void>
}
