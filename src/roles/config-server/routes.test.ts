import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../drivers/clock.ts'
import { openStore } from '../../drivers/store/open.ts'
import { type Asker, LOCAL, NOBODY } from '../../kit/auth/asker.ts'
import type { AuthMode } from '../../kit/auth/authority.ts'
import type { Identity } from '../../kit/auth/identity.ts'
import { createRemoteConfig } from '../../kit/config/remote-config.ts'
import { AppError } from '../../kit/errors.ts'
import { EventParser, type ReceivedEvent } from '../../kit/http/event-parser.ts'
import { testWaits } from '../../kit/http/testing/waits.ts'
import { errors } from '../../kit/middleware/errors.ts'
import { listenBehindChain } from '../../kit/middleware/testing/chained-listener.ts'
import type { AppEnv } from '../../kit/role.ts'
import { runInScope, type Scope } from '../../kit/telemetry/scope.ts'
import { silentLog } from '../../kit/telemetry/testing/recorded-log.ts'
import { type ConfigTables, configMigrations } from './config-rows.ts'
import { Configs } from './configs.ts'
import { ConfigList } from './contract.ts'
import { configRoutes } from './routes.ts'
import { createSealer } from './sealed-values.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (let close = closing.pop(); close; close = closing.pop()) await close()
})

/** Tokens of these tests are `subject|scope,scope`, a service's with `!` behind. */
function verify(token: string): Promise<Identity> {
  const [subject = '', scopes = ''] = token.replace('!', '').split('|')
  if (subject === 'bad') return Promise.reject(new AppError('UNAUTHENTICATED', 'bad token'))
  return Promise.resolve({ is: token.endsWith('!') ? 'service' : 'user', subject, scopes: new Set(scopes.split(',')) })
}

/** The config server's routes over a store of their own. */
async function run({ mode = 'local' as AuthMode, keepVersions = 100, maxConfigs = 100, maxPerCaller = 100 } = {}) {
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
  const configs = new Configs({ store, sealer, clock, log: silentLog, keepVersions, maxConfigs, maxPerCaller })
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
      waits: testWaits(stopping.signal),
      log: silentLog,
    }),
  )
  const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    app.request(path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) })
  return {
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

const DEV = '/config/user-service/development'
const SCOPE: Scope = {
  span: { traceId: '', spanId: '', sampled: false, setAttribute() {}, rename() {}, end() {} },
  requestId: '',
}

describe('config routes', () => {
  it('keeps values of any shape, one by one or as a document', async () => {
    const { json, put, get } = await run()
    expect(await json(DEV)).toEqual({})
    const first = await put(`${DEV}/max_connections`, 100)
    expect(first.status).toBe(200)
    expect(await first.json()).toEqual({ service: 'user-service', environment: 'development', version: 1 })
    await put(`${DEV}/hosts`, { value: ['a', { b: null }] })
    expect(await json(DEV)).toEqual({ hosts: ['a', { b: null }], max_connections: 100 })
    expect(await (await put(DEV, { enable_logging: true })).json()).toMatchObject({ version: 3 })
    expect(await json(DEV)).toEqual({ enable_logging: true })
    expect(await json(`${DEV}/enable_logging`)).toEqual({
      value: true,
      secret: false,
      from: 'user-service/development',
    })
    expect((await get(`${DEV}/nothing`)).status).toBe(404)
    expect(await json('/config')).toEqual({
      configs: [
        { service: 'user-service', environment: 'development', version: 3, changed_at: '2023-11-14T22:13:20.000Z' },
      ],
    })
  })

  it('keeps no more configurations than it may; those there are go on', async () => {
    const { put } = await run({ maxConfigs: 2 })
    for (const service of ['a', 'b']) expect((await put(`/config/${service}/e/k`, 1)).status).toBe(200)
    for (const path of ['/config/c/e/k', '/config/a/other/k', '/config/c/e']) {
      const refused = await put(path, { k: 1 })
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '3600'])
    }
    expect((await put('/config/a/e/k', 2)).status).toBe(200)
  })

  it('keeps no more of one caller than his share, and leaves the rest to others', async () => {
    const { put } = await run({ maxConfigs: 4, maxPerCaller: 2 })
    const ann = await verify('ann|config:write')
    const putAs = (asker: Asker, service: string) =>
      runInScope({ ...SCOPE, asker }, () => put(`/config/${service}/e/k`, Math.random()))
    expect((await putAs(ann, 'a')).status).toBe(200)
    expect((await putAs(ann, 'b')).status).toBe(200)
    const refused = await putAs(ann, 'c')
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '3600'])
    expect(await refused.json()).toMatchObject({ detail: expect.stringContaining('config-server.caller_share') })
    expect((await putAs(ann, 'a')).status).toBe(200)
    expect((await putAs(await verify('ann|config:write!'), 'c')).status).toBe(200)
    expect((await putAs(ann, 'c')).status).toBe(200)
    expect((await putAs(LOCAL, 'd')).status).toBe(200)
    expect((await putAs(LOCAL, 'e')).status).toBe(429)
  })

  it('keeps at most 1 000 keys in one, however they come, and lets them become fewer', async () => {
    const { put, delete: remove, json } = await run()
    const secret = { value: 1, secret: true }
    expect((await put('/config/a/e', { 'secret.1': secret, 'secret.2': secret })).status).toBe(200)
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, n]))
    expect(await (await put('/config/a/e', many(999))).json()).toMatchObject({ code: 'INVALID_REQUEST' })
    expect((await put('/config/a/e', many(998))).status).toBe(200)
    const one = await put('/config/a/e/more', 1)
    expect([one.status, await one.json()]).toMatchObject([400, { detail: 'A configuration has at most 1000 keys' }])
    expect((await put('/config/a/e/k1', 'another')).status).toBe(200)
    expect((await remove('/config/a/e/k1')).status).toBe(200)
    expect((await put('/config/a/e/more', 1)).status).toBe(200)
    expect(await json('/config/a/e/more')).toMatchObject({ value: 1 })
  })

  it('keeps a megabyte of each, in bytes', async () => {
    const { put } = await run()
    const text = '\u20ac'.repeat(200_000)
    expect((await put('/config/a/e/one', text)).status).toBe(200)
    expect((await put('/config/a/e/two', text)).status).toBe(413)
    expect((await put('/config/a/e/two', text.slice(0, 100_000))).status).toBe(200)
  })

  it('lists page by page, to a service what is its own alone', async () => {
    const { put, get } = await run()
    for (const path of ['b/y', 'a/z', 'b/x', '_default/x', 'shop/e'])
      expect((await put(`/config/${path}/k`, 1)).status).toBe(200)
    async function pages(asker: Asker) {
      const seen: string[][] = []
      for (let path = '/config?limit=2'; path !== ''; ) {
        const answer = await runInScope({ ...SCOPE, asker }, () => get(path))
        const { configs } = ConfigList.parse(await answer.json())
        seen.push(configs.map(({ service, environment }) => `${service}/${environment}`))
        path = /^<(.*)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1] ?? ''
      }
      return seen
    }
    expect(await pages(LOCAL)).toEqual([['_default/x', 'a/z'], ['b/x', 'b/y'], ['shop/e']])
    expect(await pages(await verify('shop|config:read!'))).toEqual([['_default/x', 'shop/e']])
    for (const query of ['limit=0', 'limit=1001', 'after=a', 'after=a/b/c', 'after=../x'])
      expect((await get(`/config?${query}`)).status).toBe(400)
  })

  it('makes no version of what changes nothing', async () => {
    const { put } = await run()
    await put(DEV, { a: 1, s: { value: 'x', secret: true } })
    expect(await (await put(DEV, { a: 1, s: 'x' })).json()).toMatchObject({ version: 1 })
    expect(await (await put(`${DEV}/a`, 2)).json()).toMatchObject({ version: 2 })
  })

  it('merges in what holds for every service and environment, the nearest winning', async () => {
    const { json, put } = await run()
    await put('/config/_default/_default', { a: 1, b: 1, c: 1, d: 1 })
    await put('/config/_default/development', { b: 2, c: 2, d: 2 })
    await put('/config/user-service/_default', { c: 3, d: 3 })
    await put(DEV, { d: 4 })
    expect(await json(DEV)).toEqual({ a: 1, b: 2, c: 3, d: 4 })
    expect(await json('/config/order-service/development')).toEqual({ a: 1, b: 2, c: 2, d: 2 })
    expect(await json('/config/order-service/production')).toEqual({ a: 1, b: 1, c: 1, d: 1 })
    expect(await json(`${DEV}?describe=true`)).toMatchObject({
      version: 1,
      values: { a: { value: 1, secret: false, from: '_default/_default' }, d: { from: 'user-service/development' } },
    })
  })

  it('answers 304 for the known validator, and another one after a change', async () => {
    const { get, put } = await run()
    await put(DEV, { a: 1 })
    const etag = (await get(DEV)).headers.get('etag') ?? ''
    expect((await get(DEV, { 'if-none-match': etag })).status).toBe(304)
    await put('/config/_default/_default', { b: 1 })
    const changed = await get(DEV, { 'if-none-match': etag })
    expect(changed.status).toBe(200)
    expect(changed.headers.get('etag')).not.toBe(etag)
  })

  it('changes only what If-Match says it has seen', async () => {
    const { get, put, json, ...run_ } = await run()
    await put(DEV, { a: 1, s: { value: 1, secret: true } })
    const etag = (await get(DEV)).headers.get('etag') ?? ''
    expect((await put(DEV, { a: 2 }, { 'if-match': etag })).status).toBe(200)
    expect((await put(DEV, { a: 3 }, { 'if-match': etag })).status).toBe(412)
    expect((await run_.delete(`${DEV}/a`, { 'if-match': etag })).status).toBe(412)
    expect((await put(`${DEV}/a`, 4, { 'if-match': '*' })).status).toBe(200)
    expect(await json(DEV)).toEqual({ a: 4 })
  })

  it('removes keys, keeps history, and rolls back', async () => {
    const { json, put, post, ...run_ } = await run({ keepVersions: 4 })
    await put(DEV, { a: 1, b: 1 })
    await put(`${DEV}/a`, 2)
    expect(await (await run_.delete(`${DEV}/b`)).json()).toMatchObject({ version: 3 })
    expect((await run_.delete(`${DEV}/b`)).status).toBe(404)
    expect(await (await post(`${DEV}/rollback`, { version: 1 })).json()).toMatchObject({ version: 4 })
    expect(await json(DEV)).toEqual({ a: 1, b: 1 })
    const changed = { changed_at: '2023-11-14T22:13:20.000Z', changed_by: 'local' }
    expect(await json(`${DEV}/history`)).toEqual({
      versions: [
        { version: 4, action: 'rollback', keys: ['a', 'b'], ...changed },
        { version: 3, action: 'delete', keys: ['b'], ...changed },
        { version: 2, action: 'put', keys: ['a'], ...changed },
        { version: 1, action: 'put', keys: ['a', 'b'], ...changed },
      ],
    })
    expect(await json(`${DEV}/history?limit=1`)).toMatchObject({ versions: [{ version: 4 }] })
    await put(`${DEV}/a`, 5)
    expect((await post(`${DEV}/rollback`, { version: 1 })).status).toBe(404)
    expect((await post(`${DEV}/rollback`, { version: 2 })).status).toBe(200)
    expect((await post(`${DEV}/rollback`, { version: 0 })).status).toBe(400)
  })

  it.each([
    '/config/..%2f..%2fetc/development',
    '/config/user-service/..%2fproduction',
    '/config/%252e%252e/development',
    '/config/a..b/development',
    '/config/user-service/-x',
    '/config/__proto__/development',
    '/config/a%00/development',
    '/config/a%0d%0ab/development',
    `/config/${'a'.repeat(101)}/development`,
    '/config/user-service/development/..%2fx',
    '/config/user-service/development/__proto__',
    '/config/watch?service=..',
  ])('refuses %s', async (path) => {
    const { get } = await run()
    expect((await get(path)).status).toBe(400)
  })

  it('refuses keys and bodies that are none', async () => {
    const { put, app } = await run()
    expect((await put(`${DEV}/history`, 1)).status).toBe(400)
    expect((await put(DEV, [1])).status).toBe(400)
    const raw = (body: string) => app.request(DEV, { method: 'PUT', body })
    expect((await raw('{"__proto__":{"a":1}}')).status).toBe(400)
    expect((await raw('[')).status).toBe(400)
    expect((await raw('['.repeat(100_000))).status).toBe(400)
  })

  it.each([
    '/config/../development',
    '/config/%2e%2e/development',
    '/config/user-service/%2E.',
    '/config/./x',
    '/config/..\\x/y',
  ])('refuses %s as it comes over the wire', async (path) => {
    const { app } = await run()
    const listener = await listenBehindChain({ app })
    closing.push(() => listener.drain(0))
    const socket = connect({ host: '127.0.0.1', port: listener.port })
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
    let text = ''
    for await (const chunk of socket) text += String(chunk)
    expect(text).toMatch(/^HTTP\/1.1 400 /)
  })
})

describe('secrets', () => {
  it('are encrypted on disk, and shown only to a token with the scope or to their own service', async () => {
    const { put, json, folder } = await run()
    await put(`${DEV}/password`, { value: 'correct-horse-battery', secret: true })
    await put(`${DEV}/plain`, 1)
    for (const file of await readdir(folder)) {
      expect((await readFile(join(folder, file))).includes('correct-horse-battery')).toBe(false)
    }
    const hidden = { plain: 1 }
    const open = { password: 'correct-horse-battery', plain: 1 }
    const as = (token: string) => json(DEV, { authorization: `Bearer ${token}` })
    expect(await json(DEV)).toEqual(hidden)
    expect(await json(DEV, { 'x-user-id': 'ann', 'x-user-scopes': 'config:secrets' })).toEqual(hidden)
    expect(await as('ann|config:read')).toEqual(hidden)
    expect(await as('user-service|')).toEqual(hidden)
    expect(await as('order-service|!')).toEqual(hidden)
    expect(await as('user-service|!')).toEqual(open)
    expect(await as('ann|config:read,config:secrets')).toEqual(open)
    expect(await json(DEV, { authorization: 'Bearer bad' })).toMatchObject({ code: 'UNAUTHENTICATED' })
    expect(await json(`${DEV}/password`)).toEqual({ value: '••••', secret: true, from: 'user-service/development' })
    expect(await json(`${DEV}?describe=true`)).toMatchObject({ values: { password: { value: '••••', secret: true } } })
    expect(await json(`${DEV}/history`)).toMatchObject({ versions: [{ keys: ['plain'] }, { keys: ['password'] }] })
  })

  it('are kept from who asks through the gateway, whose own they may be', async () => {
    const { put, json } = await run({ mode: 'token' })
    const as =
      (asker: Asker) =>
      <T>(work: () => T) =>
        runInScope({ ...SCOPE, asker }, work)
    const gatewayDev = '/config/api-gateway/development'
    await as(await verify('ann|config:write'))(() => put(`${gatewayDev}/key`, { value: 's', secret: true }))
    const ask = () => json(gatewayDev, { authorization: 'Bearer api-gateway|config:secrets!' })
    expect(await as(NOBODY)(ask)).toEqual({})
    expect(await as(await verify('ann|config:read'))(ask)).toEqual({})
    expect(await as(await verify('api-gateway|!'))(ask)).toEqual({ key: 's' })
  })

  it.each([
    ['api_token', 'hunter2'],
    ['store', 'postgres://ann:hunter2@db/shop'],
    ['smtp', { host: 'mail', password: 'hunter2' }],
  ])('are values that show it too, by name or by shape: %s', async (key, value) => {
    const { put, get, json } = await run({ mode: 'token' })
    const as = async (token: string) => {
      const asker = await verify(token)
      return runInScope({ ...SCOPE, asker }, () => json(DEV, { authorization: `Bearer ${token}` }))
    }
    await put(DEV, { [key]: value, limit: 1 })
    expect(await as('ann|config:read')).toEqual({ limit: 1 })
    expect(await (await get(`${DEV}?describe=true`)).text()).not.toContain('hunter2')
    expect(await as('ann|config:read,config:secrets')).toEqual({ [key]: value, limit: 1 })
    expect(await as('user-service|config:read!')).toEqual({ [key]: value, limit: 1 })
    expect(await runInScope({ ...SCOPE, asker: LOCAL }, () => json(DEV))).toEqual({ [key]: value, limit: 1 })
    expect(await (await put(`${DEV}/${key}`, value)).json()).toMatchObject({ version: 1 })
    await put(`${DEV}/${key}`, { value, secret: true })
    expect(await runInScope({ ...SCOPE, asker: LOCAL }, () => json(DEV))).toEqual({ limit: 1 })
    await put(`${DEV}/${key}`, { value, secret: false })
    expect(await as('ann|config:read')).toEqual({ [key]: value, limit: 1 })
  })

  it('stay secret until told otherwise, survive a document that does not name them, and roll back', async () => {
    const { put, post, json } = await run()
    const owner = { authorization: 'Bearer user-service|!' }
    await put(DEV, { password: { value: 'one', secret: true }, plain: 1 })
    await put(`${DEV}/password`, 'two')
    await put(DEV, { plain: 2 })
    expect(await json(DEV)).toEqual({ plain: 2 })
    expect(await json(DEV, owner)).toEqual({ password: 'two', plain: 2 })
    await post(`${DEV}/rollback`, { version: 1 })
    expect(await json(DEV, owner)).toEqual({ password: 'one', plain: 1 })
    await put(`${DEV}/password`, { value: 'three', secret: false })
    expect(await json(DEV)).toEqual({ password: 'three', plain: 1 })
  })
})

describe('watch', () => {
  it('tells of the changes that concern a service, without values', async () => {
    const { get, put, stop } = await run()
    await put('/config/_default/_default', { a: 1 })
    await put('/config/order-service/development', { a: 1 })
    const events: ReceivedEvent[] = []
    const answer = await get('/config/watch?service=user-service&environment=development')
    const reading = readEvents(answer, events)
    await expect.poll(() => events.length).toBe(1)
    await put('/config/order-service/development', { a: 2 })
    await put('/config/user-service/production', { a: 2 })
    await put(DEV, { a: 3 })
    await put('/config/_default/development', { b: 3 })
    await expect.poll(() => events.length).toBe(3)
    stop()
    await reading
    expect(events.map(({ event, data }) => [event, JSON.parse(data)])).toEqual([
      ['snapshot', { configs: [{ service: '_default', environment: '_default', version: 1 }] }],
      ['change', { service: 'user-service', environment: 'development', version: 1, keys: ['a'] }],
      ['change', { service: '_default', environment: 'development', version: 1, keys: ['b'] }],
    ])
  })

  it('reads what there is once for all watchers, whatever they watch, until there is news', async () => {
    const { put, get, reads, stop } = await run()
    await put(DEV, { a: 1 })
    const streams: Promise<void>[] = []
    async function snapshotOf(query: string) {
      const events: ReceivedEvent[] = []
      streams.push(readEvents(await get(`/config/watch${query}`), events))
      await expect.poll(() => events.length).toBeGreaterThan(0)
      return events[0]?.data
    }
    const one = { configs: [{ service: 'user-service', environment: 'development', version: 1 }] }
    expect(JSON.parse((await snapshotOf('')) ?? '')).toEqual(one)
    expect(JSON.parse((await snapshotOf('?service=user-service')) ?? '')).toEqual(one)
    expect(JSON.parse((await snapshotOf('?environment=other')) ?? '')).toEqual({ configs: [] })
    expect(reads()).toBe(1)
    await put(DEV, { a: 2 })
    expect(await snapshotOf('?environment=development')).toContain('"version":2')
    expect(reads()).toBe(2)
    stop()
    await Promise.all(streams)
  })

  it('keeps a RemoteConfig up to date', async () => {
    const { app, put } = await run()
    await put(DEV, { limit: 1 })
    const remote = createRemoteConfig({
      client: { raw: async (path, init) => app.request(path, init) },
      service: 'user-service',
      environment: 'development',
      clock: systemClock,
      log: silentLog,
      signal: new AbortController().signal,
    })
    closing.push(() => remote.close())
    await expect.poll(() => remote.getInteger('limit', 0)).toBe(1)
    await put(`${DEV}/limit`, 2)
    await expect.poll(() => remote.getInteger('limit', 0)).toBe(2)
  })
})

async function readEvents(answer: Response, events: ReceivedEvent[]): Promise<void> {
  const parser = new EventParser((event) => events.push(event), 1_000_000)
  for await (const chunk of answer.body ?? []) parser.push(chunk)
}
