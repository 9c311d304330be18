import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import * as z from 'zod'
import { systemClock as clock } from '../../drivers/clock.ts'
import { DriverError } from '../../drivers/driver-error.ts'
import { identityOf } from '../auth/asker.ts'
import type { Authority } from '../auth/authority.ts'
import { AppError } from '../errors.ts'
import type { Failing } from '../health-check.ts'
import type { AppEnv } from '../http/app-env.ts'
import type { Listener } from '../http/listener.ts'
import { route } from '../http/route.ts'
import type { Log } from '../telemetry/log.ts'
import { currentScope } from '../telemetry/scope.ts'
import { createTracing } from '../telemetry/tracer.ts'
import type { SpanRecord } from '../telemetry/tracing.ts'
import type { ChainOptions } from './chain.ts'
import { listenBehindChain } from './testing/chained-listener.ts'

const open: Listener[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((listener) => listener.drain(1_000)))
})

interface Recorded {
  readonly spans: SpanRecord[]
  readonly entries: { level: string; message: string; metadata: unknown }[]
}

const REFUSED = new DriverError('unavailable', 'no password for "shop" (SQLSTATE 28P01)', {
  told: 'the store is away; try again',
})

async function boot(overrides: Partial<ChainOptions> & { tracesPerSecond?: number } = {}) {
  const recorded: Recorded = { spans: [], entries: [] }
  const write = (level: string) => (message: string, metadata: unknown) =>
    void recorded.entries.push({ level, message, metadata })
  const log: Log = {
    debug: write('DEBUG'),
    info: write('INFO'),
    warning: write('WARNING'),
    error: write('ERROR'),
    critical: write('CRITICAL'),
  }
  const app = new Hono<AppEnv>()
  app.get('/things/:id', route({ summary: 'A thing', scope: 'users:read' }), (c) =>
    c.json({ id: c.req.param('id'), subject: identityOf(currentScope()?.asker)?.subject }),
  )
  app.get(
    '/beats/:count',
    route({
      summary: 'A heartbeat',
      scope: 'users:read',
      params: z.object({ count: z.coerce.number() }),
      housekeeping: true,
    }),
    (c) => c.body(null, c.req.valid('param').count > 0 ? 204 : 503),
  )
  app.get('/broken', () => {
    throw new TypeError('the secret inside')
  })
  app.get('/forwarded', (c) => {
    if (c.env.exchange) c.env.exchange.client = '203.0.113.9'
    return c.text('')
  })
  app.get('/gone', () => {
    throw new AppError('NOT_FOUND', 'Thing not found')
  })
  app.get('/busy', () => {
    throw new AppError('UNAVAILABLE', 'Too many searches are under way')
  })
  app.get('/refused', () => {
    throw REFUSED
  })
  app.get('/down', () => {
    throw new AppError('UNAVAILABLE', 'The database is gone', { cause: new Error('no such file') })
  })
  app.get('/never', () => new Promise<Response>(() => {}))
  app.get('/large', (c) => c.json({ text: 'x'.repeat(4_000) }))
  const authority: Authority = {
    mode: 'local',
    issuer: 'msvc',
    mint: async () => 'token',
    serviceToken: async () => 'token',
    recall: () => undefined,
    referenceOf: async () => undefined,
    publicKeys: async () => [],
    heed: () => {},
    renew: async () => ({ token: 'token', scopes: [], expiresIn: 1 }),
    verify: async (token, audience) => {
      if (token !== 'good') throw new AppError('UNAUTHENTICATED', 'Unauthorized')
      return { is: 'user', subject: `caller-of-${audience}`, scopes: new Set(['users:read']) }
    },
  }
  const { tracesPerSecond = 100, ...parts } = overrides
  const ship = (span: SpanRecord) => void recorded.spans.push(span)
  const tracing = createTracing({ service: 'thing-service', clock, tracesPerSecond, ship })
  const chain = {
    service: 'thing-service',
    version: '1.0.0',
    summary: 'things',
    clock,
    log,
    tracing,
    authority,
    ...parts,
  }
  const listener = await listenBehindChain({ app }, chain)
  open.push(listener)
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(`http://127.0.0.1:${listener.port}${path}`, { headers })
  return { recorded, get, port: listener.port, authority }
}

async function raw(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.end(request)
  return text(socket)
}

const failing = (name: string, failing: Failing) =>
  new Map([[name, { check: () => Promise.reject(new Error('disk gone')), failing }]])

describe('the chain', () => {
  it.each([
    ['a dot segment', '/things/../livez'],
    ['an encoded dot segment', '/things/%2e%2E/livez'],
    ['a backslash', '/\\\\evil/livez'],
    ['another host in an absolute URL', 'http://evil.example/livez'],
    ['no path', '*'],
    ['a port that is none', '/livez', '127.0.0.1:99999'],
  ])('answers a request whose target has %s with a problem', async (_, target, host = '127.0.0.1') => {
    const { port } = await boot()
    const answer = await raw(port, `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1.1 400 /)
    expect(answer).toMatch(/"code":"INVALID_(?:PATH|REQUEST)"/)
    expect(answer).toMatch(/^x-request-id: /im)
  })

  it('tells of a client that left before its answer as one, and not as of a success', async () => {
    const { port, recorded, get } = await boot()
    const socket = connect(port, '127.0.0.1')
    socket.write('GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const active = async () => (await (await get('/metrics')).text()).match(/^http_requests_active\S* (\d+)$/m)?.[1]
    await expect.poll(active).toBe('2')
    socket.destroy()
    await expect.poll(active).toBe('1')
    expect(await (await get('/metrics')).text()).toMatch(
      /^http_requests_total\{.*route="\/never",status="499",.*\} 1$/m,
    )
    expect(recorded.entries).toContainEqual(expect.objectContaining({ message: 'GET /never 499 (cut off)' }))
    const [span] = recorded.spans.filter(({ operation }) => operation === 'GET /never')
    expect(span?.tags).toMatchObject({ 'http.response.status_code': 499 })
  })

  it('gives every answer a request id and a trace id, keeping the caller’s', async () => {
    const { get } = await boot()
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736'
    const answer = await get('/things/1', { 'x-request-id': 'abc-1', traceparent: `00-${trace}-00f067aa0ba902b7-01` })
    expect(answer.headers.get('x-request-id')).toBe('abc-1')
    expect(answer.headers.get('x-trace-id')).toBe(trace)
    const missing = await get('/nowhere', { 'x-request-id': 'bad id' })
    expect(missing.headers.get('x-request-id')).toMatch(/^[0-9a-f]{32}$/)
    expect(missing.headers.get('x-trace-id')).toMatch(/^[0-9a-f]{32}$/)
  })

  it('takes a B3 context where there is no other', async () => {
    const { get, recorded } = await boot()
    await get('/things/1', { b3: `${'c'.repeat(32)}-${'d'.repeat(16)}-1` })
    await expect.poll(() => recorded.spans).toHaveLength(1)
    expect(recorded.spans[0]).toMatchObject({ trace_id: 'c'.repeat(32), parent_span_id: 'd'.repeat(16) })
  })

  it('takes the seed’s trace headers where there is no traceparent', async () => {
    const { get, recorded } = await boot()
    await get('/things/1', { 'x-trace-id': 'a'.repeat(32), 'x-span-id': 'b'.repeat(16) })
    await expect.poll(() => recorded.spans).toHaveLength(1)
    expect(recorded.spans[0]).toMatchObject({
      trace_id: 'a'.repeat(32),
      parent_span_id: 'b'.repeat(16),
      operation: 'GET /things/:id',
      status: 'ok',
    })
  })

  it('obeys a parent that is not sampled, but leaves the span of a 5xx', async () => {
    const { get, recorded } = await boot()
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`
    await get('/things/1', { traceparent })
    await get('/broken', { traceparent })
    await expect.poll(() => recorded.spans).toHaveLength(1)
    expect(recorded.spans[0]).toMatchObject({
      operation: 'GET /broken',
      status: 'error',
      tags: { 'http.response.status_code': 500 },
    })
    expect(recorded.entries.map(({ level }) => level)).toEqual(['ERROR', 'ERROR'])
  })

  it('tells a caller nothing of an unexpected failure, and the log everything', async () => {
    const { get, recorded } = await boot()
    const answer = await get('/broken')
    expect(answer.status).toBe(500)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    const body = await answer.text()
    expect(body).not.toContain('secret inside')
    expect(JSON.parse(body)).toMatchObject({
      code: 'INTERNAL',
      status: 500,
      trace_id: answer.headers.get('x-trace-id'),
    })
    expect(JSON.stringify(recorded.entries)).toContain('the secret inside')
  })

  it('warns in a few words of what it refuses for having too much to do, and tells a fault with its cause', async () => {
    const { get, recorded } = await boot()
    expect((await get('/busy')).status).toBe(503)
    await expect.poll(() => recorded.entries.map(({ level }) => level)).toEqual(['WARNING', 'WARNING'])
    expect(JSON.stringify(recorded.entries)).not.toContain('.ts:')
    await get('/down')
    await expect.poll(() => recorded.entries.slice(2).map(({ level }) => level)).toEqual(['ERROR', 'ERROR'])
    expect(JSON.stringify(recorded.entries[2])).toContain('no such file')
  })

  it('answers errors as problem+json with the seed’s error', async () => {
    const { get } = await boot()
    expect(await (await get('/gone')).json()).toMatchObject({
      title: 'Not Found',
      status: 404,
      error: 'Thing not found',
    })
    expect(await (await get('/nowhere')).json()).toMatchObject({ code: 'NOT_FOUND' })
  })

  it.each([
    ['a Host that is not ours', 'GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n', 'HOST_REFUSED', 403],
    [
      'a Host that only begins like ours',
      'GET / HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n',
      'HOST_REFUSED',
      403,
    ],
    ['two Hosts', 'GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n', 'INVALID_REQUEST', 400],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', 'INVALID_REQUEST', 400],
    [
      'a foreign Origin',
      'GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n\r\n',
      'ORIGIN_REFUSED',
      403,
    ],
    ['the null Origin', 'GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n\r\n', 'ORIGIN_REFUSED', 403],
  ])('refuses %s', async (_, request, code, status) => {
    const { port } = await boot()
    const answer = await raw(port, request)
    expect(answer).toContain(`HTTP/1.1 ${status}`)
    expect(answer).toContain(`"code":"${code}"`)
  })

  it('counts by route template and status', async () => {
    const { get } = await boot()
    for (const path of ['/things/1', '/things/2', '/broken']) await get(path)
    const metrics = async () => (await get('/metrics')).text()
    for (const line of [
      'http_requests_total{method="GET",route="/things/:id",status="200",service="thing-service"} 2',
      'http_errors_total{method="GET",route="/broken",status="500",service="thing-service"} 1',
      'http_requests_active{service="thing-service"} 1',
      'http_requests_total{method="GET",route="/metrics",status="200",service="thing-service"}',
    ])
      await expect.poll(metrics).toContain(line)
    expect(await metrics()).not.toContain('/things/1')
  })

  it('logs whose a request is, where the role has found out more than the connection tells', async () => {
    const { get, recorded } = await boot()
    await get('/forwarded')
    await get('/things/1')
    await expect.poll(() => recorded.entries).toHaveLength(2)
    expect(recorded.entries[0]?.metadata).toMatchObject({ client: '203.0.113.9' })
    expect(recorded.entries[1]?.metadata).not.toHaveProperty('client')
  })

  it('logs housekeeping at DEBUG where it goes well, and begins no trace of it', async () => {
    const { get, recorded } = await boot()
    for (const count of ['1', 'x', '0']) await get(`/beats/${count}`)
    await expect
      .poll(() => recorded.entries.map(({ level, metadata }) => [level, metadata]))
      .toMatchObject([
        ['DEBUG', { status: 204 }],
        ['INFO', { status: 400 }],
        ['ERROR', { status: 503 }],
      ])
    expect(recorded.spans.map(({ tags }) => tags['http.response.status_code'])).toEqual([400, 503])
  })

  it('keeps probes out of traces and logs', async () => {
    const { get, recorded } = await boot()
    const answer = await get('/health')
    expect(await answer.json()).toMatchObject({
      status: 'healthy',
      service: 'thing-service',
      version: '1.0.0',
      checks: {},
    })
    await get('/readyz')
    await get('/things/1')
    await expect.poll(() => recorded.spans).toHaveLength(1)
    expect(recorded.entries).toHaveLength(1)
  })

  it('is unhealthy and not ready when a check fails', async () => {
    const { get } = await boot({ checks: failing('store', 'unhealthy') })
    const answer = await get('/health')
    expect(answer.status).toBe(503)
    expect(await answer.json()).toMatchObject({ status: 'unhealthy', checks: { store: 'disk gone' } })
    expect((await get('/readyz')).status).toBe(503)
    expect((await get('/livez')).status).toBe(200)
  })

  it('is degraded and ready when something can’t be done and it serves all the same', async () => {
    const { get } = await boot({ checks: failing('store_writes', 'degraded') })
    const answer = await get('/health')
    expect([answer.status, await answer.json()]).toMatchObject([
      200,
      { status: 'degraded', checks: { store_writes: 'disk gone' } },
    ])
    const ready = await get('/readyz')
    expect([ready.status, await ready.json()]).toEqual([200, { ready: true, why: {} }])
  })

  it('keeps what a driver says to who runs it from who asks, in problems and in health', async () => {
    const check = { check: () => Promise.reject(REFUSED), failing: 'unhealthy' } as const
    const { get, recorded } = await boot({ checks: new Map([['store', check]]) })
    const answer = await get('/refused')
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
    const texts = [await answer.text(), await (await get('/health')).text(), await (await get('/readyz')).text()]
    for (const text of texts) {
      expect(text).toContain(REFUSED.told)
      expect(text).not.toMatch(/SQLSTATE|shop/)
    }
    expect(JSON.stringify(recorded.entries)).toContain('SQLSTATE 28P01')
  })

  it.for([
    ['store', 'thing-service store: its server went away', 'its server went away'],
    ['store_writes', 'thing-service store: the server only reads', 'the server only reads'],
    ['bus', 'bus: it is closed', 'it is closed'],
    ['cache', 'cache: redis://cache is not ready', 'redis://cache is not ready'],
    ['outbox', 'bus: it is closed', 'bus: it is closed'],
  ] as const)('names the part %s once, whose driver names it too', async ([part, said, told]) => {
    const check = { check: () => Promise.reject(new DriverError('unavailable', said)), failing: 'unhealthy' } as const
    const { get } = await boot({ checks: new Map([[part, check]]) })
    expect(await (await get('/health')).json()).toMatchObject({ checks: { [part]: told } })
    expect(await (await get('/readyz')).json()).toMatchObject({ why: { [part]: told } })
  })

  it('gives a check the last word that says why it is late', async () => {
    const check = async (signal: AbortSignal) => {
      await once(signal, 'abort')
      await Promise.resolve()
      throw new Error('it does not answer')
    }
    const { get } = await boot({ checks: new Map([['store', { check, failing: 'unhealthy' }]]) })
    expect(await (await get('/health')).json()).toMatchObject({ checks: { store: 'it does not answer' } })
  })

  it('takes a check that doesn’t answer for one that failed', async () => {
    const check = () => new Promise<void>(() => {})
    const { get } = await boot({ checks: new Map([['store', { check, failing: 'unhealthy' }]]) })
    expect(await (await get('/health')).json()).toMatchObject({ checks: { store: 'no answer within 1000 ms' } })
  })

  it('compresses for those who ask', async () => {
    const { get } = await boot()
    expect((await get('/large', { 'accept-encoding': 'gzip' })).headers.get('content-encoding')).toBe('gzip')
    expect((await get('/things/1', { 'accept-encoding': 'gzip' })).headers.get('content-encoding')).toBeNull()
  })

  it('wants a token for its own audience in token mode, on everything but the health paths', async () => {
    const { authority } = await boot()
    const { get } = await boot({ authority: { ...authority, mode: 'token' }, hosts: ['127.0.0.1'] })
    const refused = await get('/things/1', { 'x-user-id': 'mallory' })
    expect(refused.status).toBe(401)
    expect(refused.headers.get('www-authenticate')).toBe('Bearer')
    for (const path of ['/health', '/livez', '/readyz']) expect((await get(path)).status, path).toBe(200)
    for (const path of ['/metrics', '/openapi.json', '/nowhere']) expect((await get(path)).status, path).toBe(401)
    const answer = await get('/things/1', { authorization: 'Bearer good', 'x-user-id': 'mallory' })
    expect(await answer.json()).toEqual({ id: '1', subject: 'caller-of-thing-service' })
  })

  it('documents its routes', async () => {
    const { get } = await boot()
    expect(await (await get('/openapi.json')).json()).toMatchObject({ info: { title: 'thing-service' } })
  })
})
