import { createHash, randomBytes } from 'node:crypto'
import { type IncomingMessage, request, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type Booted, boot } from './boot.ts'
import { type Instance, startInstance } from './somebody-elses.ts'

const MB = 1_048_576
/** How long the answers of most may take to begin, and those that are longer than what they may take. */
const PATIENT_MS = 30_000
const TIMEOUT_MS = 3_000
const HASHED = '/hashed'

let platform: Booted
let things: Instance
/** To `things`, to user-service, to something whose address has a path, and to `things` for who waits less. */
let [door, users, based, hasty]: readonly string[] = []
let seen: { method: string; url: string; headers: IncomingMessage['headers'] } | undefined
let whenSeen: (() => void) | undefined

beforeAll(async () => {
  const first = await boot(['registry'])
  things = await startInstance(first, 'things', answer)
  await first[Symbol.asyncDispose]()
  platform = await boot(['registry', 'log-server', 'user', 'outbound'], {
    platform: {
      services: { things: `http://127.0.0.1:${things.port}`, based: `http://127.0.0.1:${things.port}/base` },
      telemetry: { traces_per_second: 0 },
    },
    sections: {
      outbound: {
        doors: [
          ...['things', 'user-service', 'based'].map((upstream) => ({
            ...{ caller: 'catalog', upstream, port: 0, timeout_ms: PATIENT_MS, attempts: 1 },
          })),
          { caller: 'hasty', upstream: 'things', port: 0, timeout_ms: TIMEOUT_MS, attempts: 1 },
        ],
      },
    },
  })
  ;[door, users, based, hasty] = platform.loopback('outbound')
  await vi.waitUntil(async () => (await fetch(`${users}/livez`)).ok, 20_000)
})
afterAll(async () => {
  await platform[Symbol.asyncDispose]()
  await things[Symbol.asyncDispose]()
})

function answer(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { method = '', url = '', headers } = incoming
  seen = { method, url, headers }
  whenSeen?.()
  if (url === '/moved')
    outgoing.writeHead(302, { location: '/elsewhere', 'x-own': 'a', 'set-cookie': ['a=1', 'b=2'] }).end('gone')
  else if (url === '/base/made') outgoing.writeHead(201, { location: '/base/things/3' }).end()
  else if (url === '/events') {
    outgoing.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
    setTimeout(() => outgoing.end('data: 2\n\n'), 1.5 * TIMEOUT_MS)
  } else if (url === '/large') outgoing.end(Buffer.alloc(32 * MB, 7))
  else if (url.startsWith(HASHED)) {
    const hash = createHash('sha256')
    incoming.on('data', (chunk: Buffer) => void hash.update(chunk)).on('end', () => outgoing.end(hash.digest('hex')))
  } else outgoing.end('ok')
}

/** Sends a request by hand, so that any header may be sent. */
async function send(headers: Readonly<Record<string, string>>, path = '/', method = 'GET') {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  request(new URL(path, door), { method, headers }, resolve).on('error', reject).end()
  const answered = await promise
  return { status: answered.statusCode, headers: answered.headers, body: await text(answered) }
}

it('passes end-to-end headers, the path and the method as they came', async () => {
  const answered = await send(
    {
      authorization: 'Bearer catalogs-own',
      'x-request-id': 'r-1',
      'x-caller': 'user',
      'x-user-id': 'alice',
      'x-forwarded-for': '10.0.0.9',
      'idempotency-key': 'k',
      cookie: 'a=b',
      te: 'trailers',
      connection: 'x-hop',
      'x-hop': 'secret',
      'x-deadline-ms': '20000',
    },
    '/a%20b/c?x=1&y=%2F',
    'DELETE',
  )
  expect(answered.headers['x-request-id']).toBe('r-1')
  expect(seen).toMatchObject({ method: 'DELETE', url: '/a%20b/c?x=1&y=%2F' })
  expect(seen?.headers).toMatchObject({
    host: `127.0.0.1:${things.port}`,
    authorization: 'Bearer catalogs-own',
    'x-request-id': 'r-1',
    'x-caller': 'user',
    'x-user-id': 'alice',
    'x-forwarded-for': '10.0.0.9',
    'idempotency-key': 'k',
    cookie: 'a=b',
    via: '1.1 outbound',
  })
  expect(seen?.headers).not.toHaveProperty('te')
  expect(seen?.headers).not.toHaveProperty('x-hop')
  expect(Number(seen?.headers['x-deadline-ms'])).toBeLessThanOrEqual(20_000)
})

it('says nothing of who asks by itself', async () => {
  await send({})
  const names = Object.keys(seen?.headers ?? {})
  expect(
    names.filter((name) => /^(?:authorization|x-caller|x-user|x-forwarded|forwarded|x-deadline)/.test(name)),
  ).toEqual([])
})

it('passes a redirect back with its headers, and follows none', async () => {
  const answered = await send({}, '/moved')
  expect(answered).toMatchObject({ status: 302, body: 'gone', headers: { location: '/elsewhere', 'x-own': 'a' } })
  expect(answered.headers['set-cookie']).toEqual(['a=1', 'b=2'])
  expect(seen?.url).toBe('/moved')
})

it('puts the path of an address before every path, and takes it from what leads back', async () => {
  const answered = await fetch(`${based}/made`, { method: 'POST' })
  expect(seen?.url).toBe('/base/made')
  expect(answered.headers.get('location')).toBe('/things/3')
})

it('streams an answer that has no end of its own, past the time that an answer may take to begin', async () => {
  const answered = await fetch(`${hasty}/events`)
  const reader = answered.body?.pipeThrough(new TextDecoderStream()).getReader()
  expect((await reader?.read())?.value).toBe('data: 1\n\n')
  expect((await reader?.read())?.value).toBe('data: 2\n\n')
  expect((await reader?.read())?.done).toBe(true)
})

it('passes a large answer', async () => {
  const bytes = Buffer.from(await (await fetch(`${door}/large`)).arrayBuffer())
  expect(bytes.equals(Buffer.alloc(32 * MB, 7))).toBe(true)
})

it('passes a large body with a length', async () => {
  const body = randomBytes(32 * MB)
  const answered = await fetch(`${door}${HASHED}`, { method: 'POST', body })
  expect(await answered.text()).toBe(createHash('sha256').update(body).digest('hex'))
})

it('passes a body that takes longer than its answer may, as it comes', async () => {
  const chunk = randomBytes(64 * 1_024)
  const hash = createHash('sha256')
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const sending = request(new URL(`${HASHED}/slowly`, hasty), { method: 'PUT' }, resolve).on('error', reject)
  const arrived = new Promise<void>((done) => {
    whenSeen = done
  })
  for (let n = 0; n < 5; n++) {
    hash.update(chunk)
    sending.write(chunk)
    // the service has its beginning long before its end
    if (n === 0) await arrived
    await delay(TIMEOUT_MS / 3)
  }
  sending.end()
  const answered = await promise
  expect([answered.statusCode, await text(answered)]).toEqual([200, hash.digest('hex')])
})

it('tells a client that waits for it to send its body', async () => {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const sending = request(new URL(HASHED, door), {
    method: 'POST',
    headers: { expect: '100-continue', 'content-length': '2' },
  })
  sending.on('continue', () => sending.end('{}')).on('error', reject)
  sending.on('response', (answered) => text(answered).then(resolve, reject))
  sending.flushHeaders()
  expect(await promise).toBe(createHash('sha256').update('{}').digest('hex'))
})

it.each([
  ['HOST_REFUSED', { host: 'rebound.example' }],
  ['HOST_REFUSED', { host: '10.0.0.1:41001' }],
  ['ORIGIN_REFUSED', { origin: 'https://evil.example' }],
  ['ORIGIN_REFUSED', { origin: 'http://localhost:3000' }],
  ['ORIGIN_REFUSED', { 'sec-fetch-site': 'cross-site' }],
])('says %s to %j, and asks nobody', async (code, headers) => {
  seen = undefined
  const answered = await send(headers)
  expect([answered.status, JSON.parse(answered.body)]).toEqual([403, expect.objectContaining({ code })])
  expect(seen).toBeUndefined()
})

it('passes no WebSocket and no TRACE', async () => {
  expect((await send({ connection: 'upgrade', upgrade: 'websocket' })).status).toBe(501)
  expect((await send({}, '/', 'TRACE')).status).toBe(405)
})

it('takes its place in the caller’s trace, between him and whom he calls', async () => {
  const traceId = randomBytes(16).toString('hex')
  const callers = randomBytes(8).toString('hex')
  const answered = await fetch(`${users}/api/users/1`, { headers: { traceparent: `00-${traceId}-${callers}-01` } })
  expect([answered.status, answered.headers.get('x-trace-id')]).toEqual([200, traceId])
  const spans = async () => {
    const { spans = [] } = (await (await platform.fetch('log-server', `/traces/${traceId}`)).json()) as {
      spans?: readonly { service: string; span_id: string; parent_span_id: string; operation: string; tags: object }[]
    }
    return spans.toSorted((a, b) => a.service.localeCompare(b.service))
  }
  await expect.poll(async () => (await spans()).length).toBe(2)
  const [own, theirs] = await spans()
  expect(own).toMatchObject({
    service: 'outbound',
    operation: 'GET catalog->user-service',
    parent_span_id: callers,
    tags: { caller: 'catalog', 'peer.service': 'user-service' },
  })
  expect(theirs).toMatchObject({ service: 'user-service', parent_span_id: own?.span_id })
  // both services log the call themselves
  const told = platform.entries.filter(({ trace_id }) => trace_id === traceId)
  expect(told.map(({ service, level }) => `${level} ${service}`)).toEqual(['INFO user-service'])
})
