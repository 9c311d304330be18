import { join } from 'node:path'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { systemClock } from '../../src/drivers/clock.ts'
import { createAuthority } from '../../src/kit/auth/local-authority.ts'
import { SERVICE_SCOPES } from '../../src/kit/auth/scopes.ts'
import { runRole } from '../../src/kit/host.ts'
import type { AppEnv } from '../../src/kit/http/app-env.ts'
import { defineRole } from '../../src/kit/role.ts'
import { loadRole, ROLE_NAMES } from '../../src/roles/catalog.ts'
import { GatewayConfig, routesOf } from '../../src/roles/gateway/config.ts'
import { type Booted, boot } from './boot.ts'

/** Paths that the kit gives every role. */
const KIT: Readonly<Record<string, string>> = {
  'GET /health': 'public',
  'GET /livez': 'public',
  'GET /readyz': 'public',
  'GET /metrics': 'metrics:read',
  'GET /openapi.json': 'docs:read',
}

const BROKER: Readonly<Record<string, string>> = {
  'POST /broker/publish': 'messages:publish',
  'POST /broker/publish/:topic': 'messages:publish',
  'GET /broker/topics': 'messages:read',
  'GET /broker/stream/:topic': 'messages:read',
  'GET /broker/subscriptions': 'messages:read',
  'GET /broker/subscriptions/:id': 'messages:read',
  'POST /broker/subscriptions': 'messages:consume',
  'DELETE /broker/subscriptions/:id': 'messages:consume',
  'POST /broker/subscriptions/:id/pull': 'messages:consume',
  'POST /broker/subscriptions/:id/ack': 'messages:consume',
  'POST /broker/subscriptions/:id/nack': 'messages:consume',
  'POST /broker/subscriptions/:id/renew': 'messages:consume',
  'POST /broker/subscriptions/:id/stream': 'messages:consume',
  'GET /broker/dead-letters': 'messages:read',
  'GET /broker/delayed': 'messages:read',
  'DELETE /broker/delayed/:id': 'messages:admin',
  'POST /broker/dead-letters/discard': 'messages:admin',
  'POST /broker/dead-letters/redrive': 'messages:admin',
}

/** What every route of every role wants, written out so that whoever changes it sees it: route → scope. */
const ROUTES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  registry: {
    'POST /registry/register': 'registry:write',
    'POST /registry/heartbeat': 'registry:write',
    'POST /registry/unhealthy': 'registry:write',
    'POST /registry/drain': 'registry:write',
    'POST /registry/deregister': 'registry:write',
    'GET /registry/discover/:name': 'registry:read',
    'GET /registry/services': 'registry:read',
    'GET /registry/services/:name': 'registry:read',
    'GET /registry/watch': 'registry:read',
  },
  'config-server': {
    'GET /config': 'config:read',
    'GET /config/watch': 'config:read',
    'GET /config/:service': 'config:read',
    'GET /config/:service/:environment': 'config:read',
    'GET /config/:service/:environment/:key': 'config:read',
    'GET /config/:service/:environment/history': 'config:read',
    'PUT /config/:service/:environment': 'config:write',
    'PUT /config/:service/:environment/:key': 'config:write',
    'DELETE /config/:service/:environment/:key': 'config:write',
    'POST /config/:service/:environment/rollback': 'config:write',
  },
  'log-server': {
    'POST /logs': 'logs:write',
    'GET /logs': 'logs:read',
    'GET /logs/tail': 'logs:read',
    'POST /traces': 'logs:write',
    'GET /traces': 'logs:read',
    'GET /traces/:trace_id': 'logs:read',
    'POST /v1/traces': 'logs:write',
    'POST /v1/logs': 'logs:write',
    'POST /v1/metrics': 'logs:write',
  },
  broker: BROKER,
  'broker-demo': BROKER,
  user: {
    'GET /api/users': 'users:read',
    'GET /api/users/:id': 'users:read',
    'POST /api/users': 'users:write',
    'PUT /api/users/:id': 'users:write',
    'PATCH /api/users/:id': 'users:write',
    'DELETE /api/users/:id': 'users:write',
  },
  order: {
    'GET /api/orders': 'orders:read',
    'GET /api/orders/:id': 'orders:read',
    'POST /api/orders': 'orders:write',
    'DELETE /api/orders/:id': 'orders:write',
  },
  payment: {
    'GET /api/payments': 'payments:read',
    'GET /api/payments/:id': 'payments:read',
  },
  gateway: {
    'GET /gateway/api/users/:id/orders': 'token',
    'GET /.well-known/jwks.json': 'public',
    'POST /oauth/token': 'public',
    'POST /oauth/revoke': 'public',
  },
}

/** What the gateway passes on, as it is configured where nothing is said. */
const PASSED_ON: Readonly<Record<string, string>> = {
  'GET /gateway/api/users': 'public',
  'POST /gateway/api/users': 'users:write',
  'PUT /gateway/api/users': 'users:write',
  'PATCH /gateway/api/users': 'users:write',
  'DELETE /gateway/api/users': 'users:write',
  'GET /gateway/api/orders': 'token',
  'POST /gateway/api/orders': 'orders:write',
  'PUT /gateway/api/orders': 'orders:write',
  'PATCH /gateway/api/orders': 'orders:write',
  'DELETE /gateway/api/orders': 'orders:write',
}

const ANY = ['public', 'token']
const EVERY_SCOPE = [...new Set([ROUTES, { KIT, PASSED_ON }].flatMap(Object.values).flatMap(Object.values<string>))]
  .concat('admin', 'registry:admin', 'config:secrets')
  .filter((scope) => !ANY.includes(scope))
/** What the token that `msvc up` prints may do. */
const PERSON = ['users:read', 'users:write', 'orders:read', 'orders:write', 'payments:read']

interface Walked {
  readonly role: string
  readonly route: string
  readonly wants: string
}

const ROLES = ROLE_NAMES.filter((role) => role !== 'broker-demo')
const WALK: readonly Walked[] = ROLES.flatMap((role) => {
  const all = { ...ROUTES[role], ...KIT, ...(role === 'gateway' && PASSED_ON) }
  return Object.entries(all).map(([route, wants]) => ({ role, route, wants }))
})

/** `in`: past every question of who asks, whatever came of it; else the refusal. */
type Verdict = 'in' | 401 | 403 | 'differs'

/** Everybody who asks, and what he gets; `wrong` stands for a token with each of the other scopes. */
type Verdicts = Readonly<
  Record<'nobody' | 'stranger' | 'elsewhere' | 'service' | 'person' | 'wrong' | 'right', Verdict>
>

/** Parameters that name nothing there is. */
const PARAMETERS: Readonly<Record<string, string>> = { trace_id: 'f'.repeat(32), topic: 'nobody.asked' }

async function walk(platform: Booted, mode: 'local' | 'token'): Promise<(readonly [Walked, Verdicts])[]> {
  const authority = createAuthority({
    ...platform.settings.auth,
    folder: join(platform.settings.data, 'keys'),
    clock: systemClock,
  })
  const minted = new Map<string, Promise<string>>()
  function token(subject: string, audience: string, scopes: readonly string[], service = false): Promise<string> {
    const key = JSON.stringify([subject, audience, scopes])
    const known = minted.get(key) ?? authority.mint({ subject, audience, scopes, service })
    minted.set(key, known)
    return known
  }

  async function ask({ role, route }: Walked, bearer: string | undefined, head = false): Promise<Response> {
    const [method = '', template = ''] = route.split(' ')
    const path = template.replace(/:(\w+)/g, (_, name) => PARAMETERS[name] ?? '999999')
    const answer = await platform.fetch(role, path, {
      method: head ? 'HEAD' : method,
      headers: { 'content-type': 'application/json', ...(bearer && { authorization: `Bearer ${bearer}` }) },
      // no input that a route would take: who is refused for it was let in
      ...(method !== 'GET' && { body: '{' }),
    })
    await answer.body?.cancel()
    return answer
  }

  const rows: (readonly [Walked, Verdicts])[] = []
  for (const walked of WALK) {
    const { route, role, wants } = walked
    const audience = (await loadRole(role))?.service ?? ''
    const mallory = (scopes: readonly string[]) => token('mallory', audience, scopes)
    const verdict = async (bearer?: Promise<string>) => verdictOf(await ask(walked, await bearer))
    const wrong = EVERY_SCOPE.filter((scope) => scope !== wants)
    // one by one where a token is looked at; what the kit answers is the same for all roles
    const oneByOne = KIT[route] === undefined && mode === 'token'
    const [nobody, stranger, elsewhere, service, person, right, ...wrongs] = await Promise.all([
      verdict(),
      verdict(mallory([])),
      verdict(token('mallory', 'another-service', EVERY_SCOPE)),
      verdict(token('shop-service', audience, SERVICE_SCOPES, true)),
      verdict(token('ann', audience, PERSON)),
      verdict(mallory(ANY.includes(wants) ? [] : [wants])),
      ...(oneByOne ? wrong.map((scope) => [scope]) : [wrong]).map((scopes) => verdict(mallory(scopes))),
    ])
    const same = wrongs.every((got) => got === wrongs[0])
    rows.push([
      walked,
      { nobody, stranger, elsewhere, service, person, wrong: (same && wrongs[0]) || 'differs', right },
    ])
    if (!route.startsWith('GET') || stranger === 'in') continue
    expect(verdictOf(await ask(walked, await mallory([]), true)), `HEAD for ${route}`).toBe(stranger)
  }
  return rows
}

function verdictOf({ status, headers }: Response): Verdict {
  if (status === 401) return 401
  return status === 403 && headers.get('www-authenticate')?.includes('insufficient_scope') ? 403 : 'in'
}

/** What everybody should get of something that asks for a token. */
function guarded(wants: string): Verdicts {
  const having = (scopes: readonly string[]): Verdict => (wants === 'token' || scopes.includes(wants) ? 'in' : 403)
  return {
    nobody: 401,
    stranger: having([]),
    elsewhere: 401,
    service: having(SERVICE_SCOPES),
    person: having(PERSON),
    wrong: having([]),
    right: 'in',
  }
}

const OPEN: Verdicts = {
  nobody: 'in',
  stranger: 'in',
  elsewhere: 'in',
  service: 'in',
  person: 'in',
  wrong: 'in',
  right: 'in',
}

/** Where a secret takes a token in local mode too, so that one that comes along is looked at. */
const SHOWS_SECRETS = ['GET /config/:service/:environment', 'GET /config/:service/:environment/:key']

function wanted({ role, route, wants }: Walked, mode: 'local' | 'token'): Verdicts {
  const byGateway = role === 'gateway' && KIT[route] === undefined
  // where a route passes on, a token that comes along is looked at, and a bad one not overlooked
  if (wants === 'public') return PASSED_ON[route] === undefined ? OPEN : { ...OPEN, elsewhere: 401 }
  if (mode === 'token' || byGateway) return guarded(wants)
  return SHOWS_SECRETS.includes(route) ? { ...OPEN, elsewhere: 401 } : OPEN
}

function print(title: string, rows: readonly (readonly [Walked, Verdicts])[]): void {
  const names = Object.keys(OPEN)
  const line = (role: string, route: string, wants: string, cells: readonly unknown[]) =>
    `${role.padEnd(14)} ${route.padEnd(48)} ${wants.padEnd(17)} ${cells.map((cell) => String(cell).padEnd(9)).join(' ')}`
  const lines = rows.map(([{ role, route, wants }, verdicts]) => line(role, route, wants, Object.values(verdicts)))
  process.stdout.write(`${[title, line('ROLE', 'ROUTE', 'WANTS', names), ...lines].join('\n')}\n\n`)
}

describe.each(['local', 'token'] as const)('in %s mode', (mode) => {
  it('nobody gets further than his token says, on any route of any role', async () => {
    const quiet = { log: { level: 'ERROR' }, telemetry: { traces_per_second: 0 } }
    await using platform = await boot(ROLES, { platform: { ...quiet, auth: { mode, hosts: ['127.0.0.1'] } } })
    const rows = await walk(platform, mode)
    print(`auth.mode: ${mode}`, rows)
    for (const [walked, verdicts] of rows) {
      expect({ ...walked, ...verdicts }).toEqual({ ...walked, ...wanted(walked, mode) })
    }
  }, 120_000)
})

it('is open to nobody, where a role forgets to say what a route wants', async () => {
  await using platform = await boot(['registry'], { platform: { auth: { mode: 'token', hosts: ['127.0.0.1'] } } })
  const app = new Hono<AppEnv>()
  app.get('/forgotten', (c) => c.json({ secret: 1 }))
  app.all('/any', (c) => c.json({ secret: 2 }))
  const forgetful = defineRole({
    name: 'forgetful',
    service: 'forgetful-service',
    summary: 'says no scopes',
    port: 0,
    config: z.strictObject({}),
    needs: [],
    start: async () => ({ app }),
  })
  const host = await runRole(forgetful, {
    settings: platform.settings,
    section: { host: '127.0.0.1', port: 0 },
    registryUrl: '',
    version: '0.0.0-test',
    clock: systemClock,
    sinks: [],
  })
  try {
    const authority = createAuthority({
      ...platform.settings.auth,
      folder: join(platform.settings.data, 'keys'),
      clock: systemClock,
    })
    const token = await authority.mint({ subject: 'ann', audience: forgetful.service, scopes: EVERY_SCOPE })
    for (const [method, path] of [
      ['GET', '/forgotten'],
      ['HEAD', '/forgotten'],
      ['DELETE', '/any'],
    ] as const) {
      const answer = await fetch(host.url + path, { method, headers: { authorization: `Bearer ${token}` } })
      expect([answer.status, await answer.text()], path).toEqual([403, expect.not.stringContaining('secret')])
    }
  } finally {
    await host.stop()
  }
})

describe('the table of routes', () => {
  it('is whole, and what each role tells in its /openapi.json', async () => {
    await using platform = await boot(ROLES)
    await using demo = await boot(['broker-demo'])
    for (const role of ROLE_NAMES) {
      const booted = role === 'broker-demo' ? demo : platform
      const own = ROUTES[role] ?? {}
      expect(declaredBy(booted, role), role).toEqual(Object.keys(own).toSorted())
      const document = OpenApi.parse(await (await booted.fetch(role, '/openapi.json')).json())
      const told = Object.entries(document.paths).flatMap(([path, operations]) =>
        Object.entries(operations).map(([method, { security }]) => [
          `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`,
          security[0] === undefined ? 'public' : (security[0].bearer[0] ?? 'token'),
        ]),
      )
      expect(Object.fromEntries(told), role).toEqual({ ...own, ...KIT })
      const bodiless = Object.entries(document.paths).flatMap(([path, operations]) =>
        Object.entries(operations).flatMap(([method, { requestBody }]) =>
          ['post', 'put', 'patch'].includes(method) && !requestBody ? [`${method} ${path}`] : [],
        ),
      )
      expect(
        bodiless.filter((told) => !WITHOUT_BODY.includes(told)),
        role,
      ).toEqual([])
      expect(document.components.securitySchemes.bearer, role).toMatchObject({ type: 'http', scheme: 'bearer' })
    }
  })

  it('leaves `public` and `token` to the gateway', () => {
    const others = Object.entries(ROUTES).filter(([role]) => role !== 'gateway')
    expect(others.flatMap(([, routes]) => Object.values(routes)).filter((wants) => ANY.includes(wants))).toEqual([])
  })

  it('holds what the gateway passes on', () => {
    const told = routesOf(GatewayConfig.parse({})).flatMap(({ prefix, methods }) =>
      Object.entries(methods).map(([method, access]) => [`${method} ${prefix}`, [access].flat().join(' ')]),
    )
    const { 'HEAD /gateway/api/users': users, 'HEAD /gateway/api/orders': orders, ...rest } = Object.fromEntries(told)
    expect(rest).toEqual(PASSED_ON)
    expect([users, orders]).toEqual([rest['GET /gateway/api/users'], rest['GET /gateway/api/orders']])
  })
})

/** What a role's own app answers, parameters without what they must look like. */
function declaredBy(platform: Booted, role: string): readonly string[] {
  return platform
    .routes(role)
    .map((route) => route.replace(/\{.*\}$/, ''))
    .toSorted()
}

/** What changes something and takes no body, or may be left without one. */
const WITHOUT_BODY = [
  'post /broker/subscriptions/{id}/stream',
  'post /broker/subscriptions/{id}/pull',
  'post /broker/dead-letters/redrive',
]

const OpenApi = z.object({
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({ security: z.array(z.object({ bearer: z.array(z.string()) })), requestBody: z.unknown().optional() }),
    ),
  ),
  components: z.object({ securitySchemes: z.object({ bearer: z.unknown() }) }),
})
