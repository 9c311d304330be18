import { type Context, Hono } from 'hono'
import * as z from 'zod'
import type { Store } from '../../drivers/store/contract.ts'
import { identityOf } from '../../kit/auth/asker.ts'
import type { Authority } from '../../kit/auth/authority.ts'
import { AppError } from '../../kit/errors.ts'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { bodyText, readBody } from '../../kit/http/body.ts'
import { callerKey } from '../../kit/http/caller-name.ts'
import { eventStream } from '../../kit/http/event-stream.ts'
import { answerInParts, jsonInParts } from '../../kit/http/json-in-parts.ts'
import { Limit, page } from '../../kit/http/paging.ts'
import { route } from '../../kit/http/route.ts'
import type { Waits } from '../../kit/http/waits.ts'
import { findBearerToken } from '../../kit/middleware/auth.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import { currentScope } from '../../kit/telemetry/scope.ts'
import { type ConfigTables, listConfigs } from './config-rows.ts'
import { type Author, type Configs, keyNotFound } from './configs.ts'
import {
  Changed,
  ConfigList,
  ConfigPath,
  DEFAULT,
  DescribedValue,
  Description,
  History,
  LiveKeys,
  Rollback,
  ValuePath,
  Values,
} from './contract.ts'
import { etagOf, matches, nameOf, type Sight, wantedDocument, wantedValue } from './documents.ts'
import { type LiveSettings, liveKeys } from './live-rules.ts'
import { describedJson, flatJson, shownJson } from './shown-json.ts'
import { WatchStream } from './watch-stream.ts'

/** What the routes work with. */
export interface ConfigRoutesOptions {
  readonly configs: Configs
  readonly store: Pick<Store<ConfigTables>, 'db'>
  readonly authority: Pick<Authority, 'mode' | 'verify'>
  /** What services take while they run. */
  readonly live: LiveSettings
  /** This service's name: the audience of tokens. */
  readonly service: string
  /** The watchers, counted. */
  readonly waits: Waits
  /** Told when a watch fails. */
  readonly log: Pick<Log, 'error'>
}

const INVALID = 'Invalid service, environment or key'
/** Whether a value that nobody takes is set all the same. */
const ChangeQuery = z.strictObject({ force: z.stringbool().optional() })
const ShowQuery = z.strictObject({ describe: z.stringbool().optional() })
const ListQuery = z.strictObject({
  limit: Limit,
  /** The last one seen, as `service/environment`. */
  after: z
    .string()
    .transform((name) => name.split('/'))
    .pipe(z.tuple([ConfigPath.shape.service, ConfigPath.shape.environment]))
    .transform(([service, environment]) => ({ service, environment }))
    .optional(),
})
const HistoryQuery = z.strictObject({ limit: Limit, values: z.stringbool().optional() })
const WatchQuery = ConfigPath.partial().strict()
const READ =
  'Values of a service in an environment, those for all (_default) merged in; secrets only with config:secrets'

/** The config server's HTTP surface (design §5, seed 9.7.7). */
export function configRoutes({
  configs,
  store,
  authority,
  service: audience,
  live,
  waits,
  log,
}: ConfigRoutesOptions): Hono<AppEnv> {
  const app = new Hono<AppEnv>()
  const watching = new WatchStream(configs, store)

  app.get(
    '/config',
    route({
      summary: 'Configurations, by service and environment',
      scope: 'config:read',
      query: ListQuery,
      invalid: 'Invalid query',
      responses: { 200: ConfigList },
    }),
    async (c) => {
      const { limit, after } = c.req.valid('query')
      const configs = await listConfigs(store.db, { limit: limit + 1, after, services: openServices() })
      return c.json({ configs: page(c, configs, limit, nameOf) })
    },
  )
  app.get(
    '/config/watch',
    route({
      summary: 'Changes, without values (server-sent events)',
      scope: 'config:read',
      query: WatchQuery,
      invalid: INVALID,
      housekeeping: true,
      responses: { 200: 'text/event-stream', 429: 'Too many wait' },
    }),
    (c) => {
      const wanted = watched(c.req.valid('query'))
      return eventStream(c, { waits, log }, (events) => watching.follow(events, wanted))
    },
  )
  app.get(
    '/config/:service',
    route({
      summary: 'What a service takes while it runs',
      scope: 'config:read',
      params: ConfigPath.pick({ service: true }),
      invalid: INVALID,
      responses: { 200: LiveKeys },
    }),
    (c) => {
      const { service } = c.req.valid('param')
      wantOpen(service)
      return c.json(liveKeys(live, service))
    },
  )
  app.get(
    '/config/:service/:environment',
    route({
      summary: READ,
      scope: 'config:read',
      params: ConfigPath,
      query: ShowQuery,
      invalid: INVALID,
      responses: { 200: z.union([Values, Description]), 304: 'Not modified' },
    }),
    async (c) => {
      const path = c.req.valid('param')
      wantOpen(path.service)
      const shown = await configs.show(path, await sightOf(c, path.service))
      const body = c.req.valid('query').describe ? describedJson(shown) : flatJson(shown)
      const headers = { etag: etagOf(body), 'cache-control': 'private, no-cache', vary: 'authorization' }
      const known = c.req.header('if-none-match')
      if (known !== undefined && matches(known, [headers.etag])) return c.body(null, 304, headers)
      return c.body(body, 200, { ...headers, 'content-type': 'application/json' })
    },
  )
  app.put(
    '/config/:service/:environment',
    route({
      summary: 'Set all values; secrets not named are kept',
      scope: 'config:write',
      params: ConfigPath,
      query: ChangeQuery,
      takes: { 'application/json': z.record(z.string(), z.unknown()) },
      invalid: INVALID,
      responses: { 200: Changed, 412: 'Changed since' },
    }),
    async (c) => {
      const path = c.req.valid('param')
      const author = authorOf(c, c.req.valid('query'))
      return answerChange(c, path, await configs.replace(path, wantedDocument(await readText(c)), author))
    },
  )
  app.get(
    '/config/:service/:environment/history',
    route({
      summary: 'Versions, newest first; with values=true also the values that changed',
      scope: 'config:read',
      params: ConfigPath,
      query: HistoryQuery,
      invalid: INVALID,
      responses: { 200: History },
    }),
    async (c) => {
      const path = c.req.valid('param')
      wantOpen(path.service)
      const none: z.input<typeof History> = { versions: [] }
      const { limit, values } = c.req.valid('query')
      const versions = await configs.history(path, limit, values ? await sightOf(c, path.service) : undefined)
      return answerInParts(
        c,
        jsonInParts(none, versions, (version) => [version]),
      )
    },
  )
  app.post(
    '/config/:service/:environment/rollback',
    route({
      summary: 'Make an earlier version hold again',
      scope: 'config:write',
      params: ConfigPath,
      query: ChangeQuery,
      body: Rollback,
      invalid: 'Invalid rollback',
      responses: { 200: Changed, 404: 'Not kept' },
    }),
    async (c) => {
      const path = c.req.valid('param')
      const author = authorOf(c, c.req.valid('query'))
      return answerChange(c, path, await configs.rollback(path, c.req.valid('json').version, author))
    },
  )
  app.get(
    '/config/:service/:environment/:key',
    route({
      summary: 'One value',
      scope: 'config:read',
      params: ValuePath,
      invalid: INVALID,
      responses: { 200: DescribedValue, 404: 'Key not found' },
    }),
    async (c) => {
      const { key, ...path } = c.req.valid('param')
      wantOpen(path.service)
      const { values } = await configs.show(path, await sightOf(c, path.service))
      const shown = values.get(key)
      if (!shown) throw keyNotFound(path, key, [...values.keys()])
      return c.body(shownJson(shown), 200, {
        'content-type': 'application/json',
        'cache-control': 'private, no-cache',
        vary: 'authorization',
      })
    },
  )
  app.put(
    '/config/:service/:environment/:key',
    route({
      summary: 'Set one value: any JSON, or {"value": …, "secret": true}',
      scope: 'config:write',
      params: ValuePath,
      query: ChangeQuery,
      takes: {
        'application/json': z.union([z.object({ value: z.unknown(), secret: z.boolean().optional() }), z.unknown()]),
      },
      invalid: INVALID,
      responses: { 200: Changed, 412: 'Changed since' },
    }),
    async (c) => {
      const { key, ...path } = c.req.valid('param')
      const author = authorOf(c, c.req.valid('query'))
      return answerChange(c, path, await configs.set(path, key, wantedValue(await readText(c)), author))
    },
  )
  app.delete(
    '/config/:service/:environment/:key',
    route({
      summary: 'Remove one value',
      scope: 'config:write',
      params: ValuePath,
      invalid: INVALID,
      responses: { 200: Changed, 404: 'Key not found' },
    }),
    async (c) => {
      const { key, ...path } = c.req.valid('param')
      return answerChange(c, path, await configs.remove(path, key, authorOf(c)))
    },
  )

  /**
   * Secrets are shown to a token with `config:secrets`, and to the service they belong to. In local mode too: there the caller's
   * word about itself is believed for everything else, but what somebody said is a secret takes a real token. In token mode it is who asks
   * that counts, not the gateway through which he does.
   */
  async function sightOf(c: Context<AppEnv>, owner: string): Promise<Sight> {
    const least = currentScope()?.asker?.is === 'local' ? 'guessed' : 'none'
    const token = findBearerToken(c.req.header('authorization'))
    if (token === undefined) return least
    const identity = await authority.verify(token, audience)
    const asker = authority.mode === 'token' ? identityOf(currentScope()?.asker) : identity
    if (!asker) return least
    return asker.scopes.has('config:secrets') || (asker.is === 'service' && asker.subject === owner) ? 'all' : least
  }

  return app
}

/** Who makes a change. */
function authorOf(c: Context<AppEnv>, { force = false }: z.output<typeof ChangeQuery> = {}): Author {
  const asker = currentScope()?.asker
  const identity = identityOf(asker)
  return {
    name: identity?.subject ?? asker?.is ?? 'local',
    share: identity && callerKey(identity, ''),
    force,
    ifMatch: c.req.header('if-match'),
  }
}

/** The services whose configurations are there for who asks, where that isn't all: a service sees its own, and what holds for everybody. */
function openServices(): readonly string[] | undefined {
  const asker = currentScope()?.asker
  return asker?.is === 'service' ? [DEFAULT, asker.subject] : undefined
}

/** Throws AppError `FORBIDDEN` unless a configuration is there for who asks. */
function wantOpen(service: string): void {
  if (openServices()?.includes(service) ?? true) return
  throw new AppError('FORBIDDEN', 'A service reads only its own configuration', {
    detail: `This token is not ${service}'s`,
  })
}

/** What a watcher asked for, where a service that names none watches its own. Throws AppError `FORBIDDEN`. */
function watched(wanted: z.output<typeof WatchQuery>): z.output<typeof WatchQuery> {
  const asker = currentScope()?.asker
  const { service = asker?.is === 'service' ? asker.subject : undefined } = wanted
  if (service !== undefined) wantOpen(service)
  return { ...wanted, service }
}

function readText(c: Context<AppEnv>): Promise<string> {
  return readBody(c).then(bodyText)
}

function answerChange(c: Context<AppEnv>, { service, environment }: ConfigPath, version: number) {
  return c.json({ service, environment, version })
}
