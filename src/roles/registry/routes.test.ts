import { createServer, type RequestListener } from 'node:http'
import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import { type Clock, systemClock } from '../../drivers/clock.ts'
import { type Asker, LOCAL, NOBODY } from '../../kit/auth/asker.ts'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { EventParser, type ReceivedEvent } from '../../kit/http/event-parser.ts'
import { portOf } from '../../kit/http/port-of.ts'
import { testWaits } from '../../kit/http/testing/waits.ts'
import { errors } from '../../kit/middleware/errors.ts'
import { runInScope } from '../../kit/telemetry/scope.ts'
import { silentLog } from '../../kit/telemetry/testing/recorded-log.ts'
import { Registration } from './contract.ts'
import { InstanceRows } from './instance-rows.ts'
import { LEASE_LIMITS } from './lease.ts'
import { Registry } from './registry.ts'
import { registryRoutes } from './routes.ts'
import { closeAll, closing, newFolder, openRegistryStore } from './testing/registry-store.ts'

const REGISTRY = 'http://127.0.0.1:8500'

afterEach(closeAll)

interface RunOptions {
  readonly folder?: string
  readonly clock?: Clock
}

/** A registry's routes over a store of their own. */
async function run({ folder, clock = systemClock }: RunOptions = {}) {
  const store = await openRegistryStore(folder)
  const stopping = new AbortController()
  let ids = 0
  const registry = new Registry({
    rows: new InstanceRows(store, silentLog, REGISTRY),
    log: silentLog,
    checkIntervalMs: 20,
    patienceMs: 60_000,
    signal: stopping.signal,
    clock,
    limits: LEASE_LIMITS,
    maxInstances: 100,
    maxPerService: 100,
    newId: () => `id-${++ids}`,
  })
  await registry.open()
  const app = new Hono<AppEnv>()
  errors(app, silentLog)
  app.route('/', registryRoutes({ registry, run: 'run-1', clock, waits: testWaits(stopping.signal), log: silentLog }))
  let closed = false
  async function stop() {
    if (closed) return
    closed = true
    stopping.abort()
    registry.close()
    await store.close()
  }
  closing.push(stop)
  return {
    registry,
    stop,
    get: (path: string) => app.request(path),
    post: (path: string, body: unknown, asker: Asker = LOCAL) => {
      const span = { traceId: '', spanId: '', sampled: false, setAttribute() {}, rename() {}, end() {} }
      return runInScope({ span, requestId: '', asker }, () =>
        app.request(path, { method: 'POST', body: JSON.stringify(body) }),
      )
    },
  }
}

async function serveHealth(answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => new Promise((resolve) => server.close(resolve)))
  return `http://127.0.0.1:${portOf(server)}/health`
}

const USER = { service_name: 'user-service', host: '127.0.0.1', port: 8001 }

describe('registry routes', () => {
  it('registers, discovers, and takes heartbeats, as the seed does', async () => {
    const { get, post } = await run()
    const registered = await post('/registry/register', USER)
    expect(registered.status).toBe(201)
    expect(await registered.json()).toEqual({ status: 'registered', id: 'id-1', fence: expect.any(Number) })
    const found = await get('/registry/discover/user-service')
    expect(await found.json()).toEqual({ ...USER, url: 'http://127.0.0.1:8001' })
    expect(await (await post('/registry/heartbeat', USER)).json()).toEqual({ status: 'ok' })
    expect(await (await post('/registry/heartbeat', { id: 'id-1' })).json()).toEqual({ status: 'ok' })
  })

  it('takes an instance behind TLS and below a path', async () => {
    const { get, post } = await run()
    await post('/registry/register', { ...USER, scheme: 'https', base_path: '/shop/v1/' })
    const found = await get('/registry/discover/user-service')
    expect(await found.json()).toEqual({ ...USER, url: 'https://127.0.0.1:8001/shop/v1' })
    expect((await post('/registry/heartbeat', USER)).status).toBe(200)
  })

  it.each([
    ['no body', undefined],
    ['no name', { host: 'h', port: 1 }],
    ['an empty name', { ...USER, service_name: '' }],
    ['a name with markup', { ...USER, service_name: '<img onerror>' }],
    ['__proto__ as name', { ...USER, service_name: '__proto__' }],
    ['no host', { service_name: 'a', port: 1 }],
    ['port 0', { ...USER, port: 0 }],
    ['port 65536', { ...USER, port: 65_536 }],
    ['half a port', { ...USER, port: 1.5 }],
    ['a port in words', { ...USER, port: '8001' }],
    ['a scheme that nobody calls', { ...USER, scheme: 'ftp' }],
    ['a base path that is none', { ...USER, base_path: 'shop' }],
    ['a base path that leads elsewhere', { ...USER, base_path: '/shop/..' }],
    ['a query behind the base path', { ...USER, base_path: '/shop?a' }],
    ['a metadata address', { ...USER, host: '169.254.169.254' }],
    ['a mapped address', { ...USER, host: '[::ffff:a9fe:a9fe]' }],
    ['a number for a host', { ...USER, host: '2130706433' }],
    ['a path for a host', { ...USER, host: 'a/b' }],
    ['a metadata address to check', { ...USER, health_check_url: 'http://169.254.169.254/latest' }],
    ['a file to check', { ...USER, health_check_url: 'file:///etc/passwd' }],
    ['a number in tags', { ...USER, tags: [1] }],
    ['an id with a space', { ...USER, id: 'a b' }],
    ['an empty id', { ...USER, id: '' }],
    [
      'more metadata and tags than all instances together have room for',
      {
        ...USER,
        tags: ['t'.repeat(100)],
        metadata: { a: 'a'.repeat(1_000), b: 'b'.repeat(1_000), c: 'c'.repeat(1_000), d: 'd'.repeat(1_000) },
      },
    ],
    ['an object in metadata', { ...USER, metadata: { a: {} } }],
    ['a number to the letter as metadata', { ...USER, metadata: JSON.rawJSON('9007199254740993') }],
    ['a field that there is not', { ...USER, basepath: '/x' }],
  ])('refuses a registration with %s', async (_, body) => {
    const { post, registry } = await run()
    const answer = await post('/registry/register', body)
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({
      error: body === undefined ? expect.any(String) : 'Invalid registration data',
    })
    expect(registry.instances.count()).toEqual({ healthy: 0, unhealthy: 0 })
  })

  it('refuses whoever speaks for a registration that was replaced', async () => {
    const { get, post } = await run()
    const register = async (port: number) =>
      (await (await post('/registry/register', { ...USER, id: 'user-1', port })).json()) as {
        id: string
        fence: number
      }
    const older = await register(8001)
    const newer = await register(8002)
    expect([older.id, newer.id]).toEqual(['user-1', 'user-1'])
    expect(newer.fence).toBeGreaterThan(older.fence)
    for (const path of ['heartbeat', 'unhealthy', 'drain', 'deregister']) {
      const answer = await post(`/registry/${path}`, older)
      expect(answer.status).toBe(409)
      expect(await answer.json()).toMatchObject({ error: 'Instance was replaced' })
    }
    expect(await (await get('/registry/discover/user-service')).json()).toMatchObject({ port: 8002 })
    expect((await post('/registry/heartbeat', newer)).status).toBe(200)
    expect((await post('/registry/heartbeat', { id: 'user-1' })).status).toBe(200)
    expect((await post('/registry/register', { ...USER, service_name: 'other', id: 'user-1' })).status).toBe(409)
    expect((await post('/registry/deregister', newer)).status).toBe(200)
  })

  it('answers 404 for what it does not know', async () => {
    const { get, post } = await run()
    for (const path of ['/registry/discover/nobody', '/registry/discover/%2e%2e%2fx', '/registry/services/nobody']) {
      const answer = await get(path)
      expect(answer.status).toBe(404)
      expect(await answer.json()).toMatchObject({ error: 'Service not found' })
    }
    for (const path of ['heartbeat', 'unhealthy', 'drain', 'deregister']) {
      expect((await post(`/registry/${path}`, USER)).status).toBe(404)
      expect((await post(`/registry/${path}`, { port: 1 })).status).toBe(400)
    }
  })

  it('keeps the same host in any spelling for the same instance', async () => {
    const { post } = await run()
    const ids = []
    for (const host of ['LOCALHOST', 'localhost.', 'localhost']) {
      const { id } = (await (await post('/registry/register', { ...USER, host })).json()) as { id: string }
      ids.push(id)
    }
    expect(new Set(ids).size).toBe(1)
    expect((await post('/registry/heartbeat', { ...USER, host: 'Localhost.' })).status).toBe(200)
  })

  it('shows services with health and age, and takes marks', async () => {
    let now = 0
    const clock = { now: () => 1_700_000_000_000, monotonic: () => now }
    const { get, post } = await run({ clock })
    await post('/registry/register', { ...USER, tags: ['v1'], metadata: { zone: 'a' } })
    await post('/registry/register', { ...USER, port: 8002 })
    await post('/registry/unhealthy', { ...USER, port: 8002 })
    now = 1_234
    const expected = {
      service_name: 'user-service',
      healthy: 1,
      total: 2,
      instances: [
        {
          id: 'id-1',
          ...USER,
          url: 'http://127.0.0.1:8001',
          tags: ['v1'],
          metadata: { zone: 'a' },
          health: 'healthy',
          registered_at: '2023-11-14T22:13:20.000Z',
          heartbeat_seconds: 1.2,
        },
        expect.objectContaining({ id: 'id-2', health: 'unhealthy', reason: 'marked unhealthy' }),
      ],
    }
    expect(await (await get('/registry/services/user-service')).json()).toEqual(expected)
    expect(await (await get('/registry/services')).json()).toEqual({ services: [expected] })
    await post('/registry/deregister', { id: 'id-1' })
    expect((await get('/registry/discover/user-service')).status).toBe(404)
    await post('/registry/heartbeat', { id: 'id-2' })
    expect((await get('/registry/discover/user-service')).status).toBe(200)
  })

  it.each(['/registry/services', '/registry/services/user-service'])(
    'lets others have their turns while it writes %s',
    async (path) => {
      let looks = 0
      const clock = {
        now: () => 0,
        monotonic() {
          looks++
          for (const until = performance.now() + 1; performance.now() < until; );
          return 0
        },
      }
      const { get, registry } = await run({ clock })
      for (let port = 1; port <= 60; port++) registry.instances.register(Registration.parse({ ...USER, port }))
      looks = 0
      let mostInATurn = 0
      let before = 0
      const answer = Promise.resolve(get(path)).then((found) => found.text())
      for (let isDone = false; !isDone; ) {
        isDone = await Promise.race([answer.then(() => true), new Promise<false>((next) => setImmediate(next, false))])
        mostInATurn = Math.max(mostInATurn, looks - before)
        before = looks
      }
      expect(await answer).toContain('"port":60,')
      expect(mostInATurn).toBeLessThanOrEqual(5)
    },
  )

  it('shows nobody what is secret by name or by shape', async () => {
    const { get, post } = await run()
    const health_check_url = 'http://127.0.0.1:1/health?token=hunter2'
    const metadata = { zone: 'a', password: 'hunter2', db: 'postgres://ann:hunter2@db/shop' }
    await post('/registry/register', { ...USER, tags: ['v1', 'api_key=hunter2'], metadata, health_check_url })
    const shown = (await (await get('/registry/services/user-service')).json()) as { instances: unknown[] }
    expect(shown.instances[0]).toMatchObject({
      tags: ['v1', 'api_key=[hidden]'],
      metadata: { zone: 'a', password: '[hidden]', db: 'postgres://[hidden]@db/shop' },
      health_check_url: 'http://127.0.0.1:1/health?token=[hidden]',
    })
  })

  it('finds an instance with a passing check at once, one with a redirecting or failing check never', async () => {
    let asked = 0
    const good = await serveHealth((_, answer) => answer.end('ok'))
    const redirecting = await serveHealth((_, answer) => {
      asked++
      answer.writeHead(302, { location: good }).end()
    })
    const { get, post, registry } = await run()
    await post('/registry/register', { ...USER, health_check_url: good })
    expect((await get('/registry/discover/user-service')).status).toBe(200)
    await post('/registry/register', { ...USER, service_name: 'other', health_check_url: redirecting })
    expect((await get('/registry/discover/other')).status).toBe(404)
    await expect.poll(() => asked).toBeGreaterThan(2)
    const [other] = registry.instances.byService().get('other') ?? []
    expect(other?.check).toEqual({ at: 'failing', reason: 'status 302' })
  })

  it('goes on asking after an answer that switches protocols', async () => {
    let status = 101
    const url = await serveHealth((_, answer) =>
      answer.writeHead(status, status === 101 ? { connection: 'upgrade', upgrade: 'websocket' } : {}).end(),
    )
    const { get, post } = await run()
    await post('/registry/register', { ...USER, health_check_url: url })
    status = 200
    await expect.poll(async () => (await get('/registry/discover/user-service')).status).toBe(200)
  })

  it('notices a check that begins to fail, and stops asking after a deregistration', async () => {
    let status = 200
    const url = await serveHealth((_, answer) => answer.writeHead(status).end())
    const { get, post } = await run()
    await post('/registry/register', { ...USER, health_check_url: url })
    status = 500
    await expect.poll(async () => (await get('/registry/discover/user-service')).status).toBe(404)
    status = 200
    await expect.poll(async () => (await get('/registry/discover/user-service')).status).toBe(200)
    expect((await post('/registry/deregister', USER)).status).toBe(200)
  })

  it('knows after a restart what was registered, and forgets what was not', async () => {
    const folder = await newFolder()
    const before = await run({ folder })
    await before.post('/registry/register', { ...USER, metadata: { zone: 'a' } })
    await before.post('/registry/register', { ...USER, port: 8002 })
    await before.post('/registry/register', { ...USER, port: 8003 })
    await before.post('/registry/drain', { ...USER, port: 8003 })
    await before.post('/registry/deregister', { ...USER, port: 8002 })
    await before.stop()
    const { post, registry } = await run({ folder })
    expect(registry.instances.healthy('user-service')).toMatchObject([{ ...USER, id: 'id-1', metadata: { zone: 'a' } }])
    expect(registry.instances.count()).toEqual({ healthy: 1, unhealthy: 1 })
    expect((await post('/registry/heartbeat', USER)).status).toBe(200)
  })

  it('keeps an expired instance off the disk, and on it again after a heartbeat', async () => {
    let now = 0
    const clock = { now: () => 0, monotonic: () => now }
    const folder = await newFolder()
    const before = await run({ folder, clock })
    await before.post('/registry/register', USER)
    now = 2_000
    await before.post('/registry/register', { ...USER, port: 8002 })
    for (now of [5_000, 10_000, 15_000, 20_000, 25_000, 30_000]) before.registry.sweep()
    await before.stop()
    const between = await run({ folder, clock })
    expect(between.registry.instances.healthy('user-service').map(({ port }) => port)).toEqual([8002])
    for (now of [35_000, 40_000, 45_000, 50_000, 55_000, 60_000]) between.registry.sweep()
    expect(between.registry.instances.count()).toEqual({ healthy: 0, unhealthy: 1 })
    await between.post('/registry/heartbeat', { ...USER, port: 8002 })
    await between.stop()
    const after = await run({ folder, clock })
    expect(after.registry.instances.count()).toEqual({ healthy: 1, unhealthy: 0 })
  })

  it('extends all leases when it stood still itself', async () => {
    let now = 0
    const { post, registry } = await run({ clock: { now: () => 0, monotonic: () => now } })
    await post('/registry/register', USER)
    now = 60_000
    registry.sweep()
    registry.sweep()
    expect(registry.instances.count()).toEqual({ healthy: 1, unhealthy: 0 })
  })

  it('streams a snapshot, then changes, of one service or all', async () => {
    const { get, post, stop } = await run()
    await post('/registry/register', USER)
    const events: ReceivedEvent[] = []
    const all = readEvents(await get('/registry/watch'), events)
    const others: ReceivedEvent[] = []
    const some = readEvents(await get('/registry/watch?service=order-service'), others)
    await post('/registry/register', { ...USER, service_name: 'order-service' })
    await post('/registry/unhealthy', USER)
    await expect.poll(() => [events.length, others.length]).toEqual([3, 2])
    await stop()
    await all
    await some
    const user = { id: 'id-1', ...USER, url: 'http://127.0.0.1:8001', tags: [], metadata: {} }
    const order = { ...user, id: 'id-2', service_name: 'order-service' }
    expect(events.map(({ event, id, data }) => [event, id, JSON.parse(data)])).toEqual([
      ['snapshot', 'run-1.1', { registry: 'run-1', revision: 1, instances: [user] }],
      ['up', 'run-1.2', { revision: 2, instance: order }],
      ['down', 'run-1.3', { revision: 3, id: 'id-1', service_name: 'user-service', reason: 'marked unhealthy' }],
    ])
    expect(others.map(({ event }) => event)).toEqual(['snapshot', 'up'])
  })

  it('lets a service speak only for itself', async () => {
    const { post } = await run()
    const as = async (is: 'user' | 'service', subject: string, scopes: readonly string[], path: string) =>
      (await post(`/registry/${path}`, USER, { is, subject, scopes: new Set(scopes) })).status
    expect(await as('service', 'order-service', [], 'register')).toBe(403)
    expect(await as('user', 'user-service', [], 'register')).toBe(403)
    expect((await post('/registry/register', USER, NOBODY)).status).toBe(403)
    expect(await as('service', 'user-service', [], 'register')).toBe(201)
    for (const path of ['heartbeat', 'unhealthy', 'drain', 'deregister'])
      expect(await as('service', 'order-service', [], path)).toBe(403)
    expect(await as('service', 'user-service', [], 'heartbeat')).toBe(200)
    expect(await as('user', 'ann', ['registry:admin'], 'deregister')).toBe(200)
  })
})

async function readEvents(answer: Response, events: ReceivedEvent[]): Promise<void> {
  const parser = new EventParser((event) => events.push(event), 1_000_000)
  for await (const chunk of answer.body ?? []) parser.push(chunk)
}
