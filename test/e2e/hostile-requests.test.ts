import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exchangeBytes, statusesIn } from '../../src/kit/http/testing/raw-requests.ts'
import { type Booted, boot } from './boot.ts'

const ROLES = ['registry', 'config-server', 'log-server', 'broker', 'user', 'order', 'payment', 'gateway', 'outbound']
const CLOSE = 'Connection: close\r\n\r\n'
const get = (target: string, headers = 'Host: localhost\r\n') => `GET ${target} HTTP/1.1\r\n${headers}${CLOSE}`
const post = (headers: string, body = '') => `POST /x HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n\r\n${body}`
const SMUGGLED = get('/livez')

let platform: Booted
beforeAll(async () => {
  platform = await boot(ROLES)
})
afterAll(() => platform[Symbol.asyncDispose]())

const portOf = (role: string) => Number(new URL(platform.url(role)).port)

/** What each role answers. All are asked at once: one that waits for more keeps its connection for a second. */
function answers(bytes: string): Promise<(readonly [role: string, answer: string])[]> {
  return Promise.all(ROLES.map(async (role) => [role, await exchangeBytes(portOf(role), bytes)] as const))
}

/** The statuses that each role answers with, as one list when they all do the same. */
async function statuses(bytes: string): Promise<readonly number[] | string> {
  const all = (await answers(bytes)).map(([, answer]) => statusesIn(answer))
  const [first = []] = all
  return all.every((answer) => String(answer) === String(first)) ? first : JSON.stringify(all)
}

describe('every role', () => {
  it.each(['/livez', '/nowhere', '/metrics', '/openapi.json'])(
    'gives one answer of just its length to a body that turns out to be none, where %s reads none',
    async (path) => {
      const chunked = `GET ${path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n\r\n`
      for (const [role, text] of await answers(chunked)) {
        const [head = '', ...bodies] = text.split('\r\n\r\n')
        expect(head, role).toMatch(/^HTTP\/1\.1 400 /)
        expect(bodies.join('').length, role).toBe(Number(/content-length: (\d+)/i.exec(head)?.[1]))
      }
    },
  )

  it.each([
    ['a length beside chunked', post('Content-Length: 3\r\nTransfer-Encoding: chunked', `0\r\n\r\n${SMUGGLED}`)],
    ['two lengths', post('Content-Length: 3\r\nContent-Length: 4', `abcd${SMUGGLED}`)],
    ['a signed length', post('Content-Length: +3', `abc${SMUGGLED}`)],
    ['a hexadecimal length', post('Content-Length: 0x3', `abc${SMUGGLED}`)],
    ['an odd coding', post('Transfer-Encoding: xchunked', `0\r\n\r\n${SMUGGLED}`)],
    ['a coding with a vertical tab', post('Transfer-Encoding: \u000bchunked', `0\r\n\r\n${SMUGGLED}`)],
    ['a folded header', get('/livez', 'Host: localhost\r\nX: a\r\n b\r\n')],
    ['bare line feeds', 'GET /livez HTTP/1.1\nHost: localhost\n\n'],
    ['two Host headers', get('/livez', 'Host: localhost\r\nHost: localhost\r\n')],
    ['no Host', get('/livez', '')],
    ['a user name in its Host', get('/livez', 'Host: localhost@evil\r\n')],
    ['an absolute URL', get('http://evil.example/livez')],
    ['dot segments', get('/livez/../livez')],
    ['encoded dot segments', get('/x/%2E%2e/livez')],
    ['a backslash', get('/\\evil/livez')],
    ['a NUL', get('/a\0b')],
    ['no HTTP', 'EHLO localhost\r\n\r\n'],
    ['TLS', '\u0016\u0003\u0001\u0000\u00a5\u0001\u0000\u0000\u00a1\u0003\u0003'],
  ])('refuses a request with %s, and looks at nothing behind it', async (_, bytes) => {
    expect(await statuses(bytes)).toEqual([400])
  })

  it.each([
    ['a coding that is known and not implemented', post('Transfer-Encoding: gzip, chunked', '0\r\n\r\n'), 501],
    ['a head of more than 16 KB', get('/livez', `Host: localhost\r\nX: ${'x'.repeat(16_400)}\r\n`), 431],
    ['another Host', get('/livez', 'Host: evil.example\r\n'), 403],
    ['a Host that begins like ours', get('/livez', 'Host: 127.0.0.1.evil.example\r\n'), 403],
    ['a foreign Origin', get('/livez', 'Host: localhost\r\nOrigin: https://evil.example\r\n'), 403],
    ['an opaque Origin', get('/livez', 'Host: localhost\r\nOrigin: null\r\n'), 403],
    [
      'an Origin that begins like ours',
      get('/livez', 'Host: localhost\r\nOrigin: http://localhost.evil.example\r\n'),
      403,
    ],
    ['a page of this machine as Origin', get('/livez', 'Host: localhost\r\nOrigin: http://localhost:3000\r\n'), 403],
    ['the Origin of the role itself', get('/livez', 'Host: localhost\r\nOrigin: http://localhost\r\n'), 200],
    ['an expectation that can be met', get('/livez', 'Host: localhost\r\nExpect: 100-continue\r\n'), 200],
    ['an expectation that begins like one', get('/livez', 'Host: localhost\r\nExpect: y 100-continue\r\n'), 417],
    ['two expectations', get('/livez', 'Host: localhost\r\nExpect: 100-continue, x\r\n'), 417],
    ['CONNECT', 'CONNECT localhost:1 HTTP/1.1\r\nHost: localhost:1\r\n\r\n', 405],
    ['more than 200 header fields', get('/livez', `Host: localhost\r\n${'x:\r\n'.repeat(200)}`), 431],
    ['a Host that no loopback address has', get('/livez', 'Host: 127.999.1.1\r\n'), 403],
    ['an upgrade that nobody speaks', get('/livez', 'Host: localhost\r\nUpgrade: h2c\r\n'), 200],
    ['header names that are members of objects', get('/livez', 'Host: localhost\r\n__proto__: x\r\n'), 200],
  ])('gives a request with %s one answer', async (_, bytes, status) => {
    const [last] = (await statuses(bytes)).slice(-1)
    expect(last).toBe(status)
  })

  it.each([
    ['no HTTP', 'EHLO localhost\r\n\r\n'],
    ['a head of more than 16 KB', get('/livez', `Host: localhost\r\nX: ${'x'.repeat(16_400)}\r\n`)],
    ['CONNECT', 'CONNECT localhost:1 HTTP/1.1\r\nHost: localhost:1\r\n\r\n'],
    ['a coding that is not implemented', post('Transfer-Encoding: gzip, chunked', '0\r\n\r\n')],
    ['chunks that are none', post('Transfer-Encoding: chunked', 'zz\r\n')],
  ])('tells who sends %s what is wrong, in a problem document with a trace id', async (_, bytes) => {
    for (const [role, answer] of await answers(bytes)) {
      expect(answer, role).toMatch(/^content-type: application\/problem\+json/im)
      expect(answer).toMatch(/^x-request-id: [0-9a-f]{32}/im)
      expect(answer).toMatch(/^connection: close/im)
      expect(answer).toMatch(/"trace_id":"[0-9a-f]{32}"/)
    }
  })

  it('lives on when clients leave in the middle of everything', async () => {
    const heads = [
      'GET /logs/tail HTTP/1.1\r\nHost: localhost\r\n\r\n',
      'GET /registry/watch HTTP/1.1\r\nHost: localhost\r\n\r\n',
      'GET /config/watch HTTP/1.1\r\nHost: localhost\r\n\r\n',
      'GET /broker/stream/a.b HTTP/1.1\r\nHost: localhost\r\n\r\n',
      'HEAD /broker/stream/a.b HTTP/1.1\r\nHost: localhost\r\n\r\n',
      'GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n',
      'GET /api/users?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n',
      'GET /gateway/api/users HTTP/1.1\r\nHost: localhost\r\n\r\n',
      'POST /api/users HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n{"username":',
      'POST /gateway/api/users HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":',
      'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\nGET /livez HTTP/1.1\r\nHo',
    ]
    for (const role of ROLES) {
      const before = await active(role)
      await Promise.all(
        heads.flatMap((head) => [0, 5].map((ms) => leave(portOf(role), head.slice(0, -ms || undefined), ms))),
      )
      await expect.poll(() => active(role), { message: role }).toBeLessThanOrEqual(before)
    }
  })

  it('keeps secrets out of its log and its errors', async () => {
    const token = await platform.token('alice', 'orders:read')
    const secrets = { authorization: `Bearer ${token}x`, cookie: 'session=hunter2', 'x-api-key': 'hunter2' }
    for (const role of ROLES) {
      const answer = await platform.fetch(role, '/nowhere?password=hunter2&token=hunter2', { headers: secrets })
      expect(await answer.text()).not.toMatch(/hunter2|eyJ/)
    }
    expect(JSON.stringify(platform.entries)).not.toMatch(/hunter2|eyJ/)
  })
})

/** Requests being answered now, this one among them. */
async function active(role: string): Promise<number> {
  const text = await (await platform.fetch(role, '/metrics')).text()
  return Number(/^http_requests_active\{[^}]*\} (\d+)$/m.exec(text)?.[1])
}

/** Sends bytes, waits a little for an answer to begin, and resets the connection. */
async function leave(port: number, bytes: string, ms: number): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(bytes)
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
  socket.resetAndDestroy()
}
