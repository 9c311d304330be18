import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Hono } from 'hono'
import * as z from 'zod'
import { systemClock } from '../../../drivers/clock.ts'
import { openStore } from '../../../drivers/store/open.ts'
import type { AuthMode } from '../../../kit/auth/authority.ts'
import type { Identity } from '../../../kit/auth/identity.ts'
import { AppError } from '../../../kit/errors.ts'
import type { AppEnv } from '../../../kit/http/app-env.ts'
import { testWaits } from '../../../kit/http/testing/waits.ts'
import { errors } from '../../../kit/middleware/errors.ts'
import type { Scope } from '../../../kit/telemetry/scope.ts'
import { silentLog } from '../../../kit/telemetry/testing/recorded-log.ts'
import { type ConfigTables, configMigrations } from '../config-rows.ts'
import { Configs } from '../configs.ts'
import { configRoutes } from '../routes.ts'
import { createSealer } from '../sealed-values.ts'

/** What a test runs until its end. */
export const closing: (() => unknown)[] = []

/** Ends all that a test ran. */
export async function closeAll(): Promise<void> {
  for (let close = closing.pop(); close; close = closing.pop()) await close()
}

/** What the services of these tests take while they run: `till` some keys, `idle` none. */
const LIVE = {
  till: z.object({
    limit: z.number().min(0).max(1_000).default(10).describe('most that is charged'),
    prices: z.record(z.string(), z.number()).default({}),
    pin: z.string().optional(),
  }),
  idle: z.object({}),
  'pay-service': z.object({}),
}

/** The configuration that most of the tests are about. */
export const DEV = '/config/user-service/development'

/** A scope in which somebody asks. */
export const SCOPE: Scope = {
  span: { traceId: '', spanId: '', sampled: false, setAttribute() {}, rename() {}, end() {} },
  requestId: '',
}

/** Tokens of these tests are `subject|scope,scope`, a service's with `!` behind. */
export function verify(token: string): Promise<Identity> {
  const [subject = '', scopes = ''] = token.replace('!', '').split('|')
  if (subject === 'bad') return Promise.reject(new AppError('UNAUTHENTICATED', 'bad token'))
  return Promise.resolve({ is: token.endsWith('!') ? 'service' : 'user', subject, scopes: new Set(scopes.split(',')) })
}

/** The config server's routes over a store of their own. */
export async function run({
  mode = 'local' as AuthMode,
  keepVersions = 100,
  maxConfigs = 100,
  maxPerCaller = 100,
} = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'config-'))
  closing.push(() => rm(folder, { recursive: true }))
  const store = await openStore<ConfigTables>({
    url: 'sqlite:',
    name: 'config-server',
    folder,
    migrations: configMigrations,
  })
  closing.push(() => store.close())
  const stopping = new AbortController()
  closing.push(() => stopping.abort())
  const clock = { ...systemClock, now: () => 1_700_000_000_000 }
  const sealer = createSealer(randomBytes(32))
  const configs = new Configs({
    store,
    sealer,
    live: LIVE,
    clock,
    log: silentLog,
    keepVersions,
    maxConfigs,
    maxPerCaller,
  })
  let reads = 0
  const counted = {
    get db() {
      reads++
      return store.db
    },
  }
  const app = new Hono<AppEnv>()
  errors(app, silentLog)
  app.route(
    '/',
    configRoutes({
      configs,
      store: counted,
      authority: { mode, verify },
      service: 'config-server',
      live: LIVE,
      waits: testWaits(stopping.signal),
      log: silentLog,
    }),
  )
  const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    app.request(path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) })
  return {
    store,
    app,
    folder,
    /** How often the routes read the store by themselves. */
    reads: () => reads,
    stop: () => stopping.abort(),
    get: (path: string, headers?: Record<string, string>) => call('GET', path, undefined, headers),
    json: async (path: string, headers?: Record<string, string>): Promise<unknown> =>
      (await call('GET', path, undefined, headers)).json(),
    put: (path: string, body: unknown, headers?: Record<string, string>) => call('PUT', path, body, headers),
    post: (path: string, body: unknown) => call('POST', path, body),
    delete: (path: string, headers?: Record<string, string>) => call('DELETE', path, undefined, headers),
  }
}
