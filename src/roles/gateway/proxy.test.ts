import type { IncomingMessage } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { statusesIn } from '../../kit/http/testing/raw-requests.ts'
import { type GatewayUnderTest, startGateway } from './testing/gateway-under-test.ts'

const SHOP = 'https://shop.example'

/** A token that nobody signed. */
function forged(header: object): string {
  const claims = { iss: 'msvc', aud: 'api-gateway', sub: 'alice', exp: Math.floor(Date.now() / 1000) + 60 }
  const [head, body] = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  return `${head}.${body}.AAAA`
}

let gateway: GatewayUnderTest
let alice: string
/** What the upstream saw in the current test. */
const seen: Pick<IncomingMessage, 'method' | 'url' | 'headers' | 'rawHeaders'>[] = []

beforeAll(async () => {
  gateway = await startGateway({
    routes: {
      users: {
        prefix: '/gateway/api/users',
        upstream: 'user-service',
        strip_prefix: '/gateway',
        methods: { GET: 'public', HEAD: 'public', POST: 'token', DELETE: ['users:delete', 'users:write'] },
        body_limit: 100,
      },
      orders: {
        prefix: '/gateway/api/orders',
        upstream: 'order-service',
        strip_prefix: '/gateway',
        methods: { GET: 'token', POST: 'token', OPTIONS: 'public' },
        write_limit: { per_second: 0.01, burst: 2 },
      },
    },
    cors: { origins: [SHOP], credentials: true },
  })
  for (const service of ['user-service', 'order-service']) {
    await gateway.serve(service, (request, answer) => {
      const { method, url, headers, rawHeaders } = request
      seen.push({ method, url, headers, rawHeaders })
      request.resume().on('end', () => {
        answer.writeHead(200, { 'content-type': 'application/json', 'x-thing': 'kept', 'x-request-id': 'theirs' })
        answer.end(`{"url":"${url}"}`)
      })
    })
  }
  alice = await gateway.bearer()
})
afterAll(() => gateway[Symbol.asyncDispose]())
beforeEach(() => {
  seen.length = 0
})

const post = (path: string, headers: Record<string, string> = {}, body = '{}') =>
  gateway.fetch(path, { method: 'POST', body, headers })

describe('paths and routes', () => {
  it('lets no spelling of a path past the route that guards it', async () => {
    for (const path of ['/gateway/api/orders', '/gateway/api/%6frders', '/gateway/%61pi/order%73/1'])
      expect((await fetch(`${gateway.url}${path}`)).status, path).toBe(401)
    const headers = { authorization: alice }
    expect((await fetch(`${gateway.url}/gateway/api/%6frders/%31`, { headers })).status).toBe(200)
    expect(seen.map(({ url }) => url)).toEqual(['/api/%6frders/%31'])
  })

  it('passes path and query on, less the prefix, and the answer back', async () => {
    const answer = await gateway.fetch('/gateway/api/users/1%20a?x=%2F..&y=;')
    expect(await answer.json()).toEqual({ url: '/api/users/1%20a?x=%2F..&y=;' })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('x-thing')).toBe('kept')
  })

  it.each([
    'http://other/gateway/api/users',
    '//other/gateway/api/users',
    '/gateway/api/users;a/1',
    '/gateway/api/users/%2f',
    '/gateway/api/users/%5c',
    '/gateway/api/users/%00',
    '/gateway/api/users/%0d%0a',
    '/gateway/api/users/%3b',
    '/gateway/api/users/%252e',
    '/gateway/../health',
    '/gateway/api/%2e%2e/users',
    '/gateway/api/users/..\\x',
    '*',
    '/health/../gateway',
  ])('answers %s with 400 and asks nobody', async (target) => {
    const text = await gateway.send(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
    expect(statusesIn(text)).toEqual([400])
    expect(text).toContain('"code":"INVALID_PATH"')
    expect(seen).toEqual([])
  })

  it.each(['/', '/api/users', '/gateway', '/gateway/api/Users', '/gateway/api/usersx', '/Gateway/api/users', '/admin'])(
    'does not know %s',
    async (path) => {
      const answer = await gateway.fetch(path)
      expect(answer.status).toBe(404)
      expect(await answer.json()).toMatchObject({
        status: 404,
        code: 'NOT_FOUND',
        error: expect.any(String),
        trace_id: answer.headers.get('x-trace-id'),
      })
      expect(seen).toEqual([])
    },
  )

  it('leaves the health paths to the chain', async () => {
    expect(await (await gateway.fetch('/health')).json()).toMatchObject({ status: 'healthy', service: 'api-gateway' })
  })

  it.each([
    ['PUT', '/gateway/api/users/1', 'GET, HEAD, POST, DELETE'],
    ['OPTIONS', '/gateway/api/users/1', 'GET, HEAD, POST, DELETE'],
    ['DELETE', '/gateway/api/users/1/orders', 'GET, HEAD'],
  ])('answers %s %s with 405 and what is allowed', async (method, path, allow) => {
    const answer = await gateway.fetch(path, { method })
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, allow])
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
  })

  it.each(['/gateway/api/users', '/nowhere', '/health'])('answers TRACE %s with 405', async (path) => {
    expect(
      statusesIn(await gateway.send(`TRACE ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)),
    ).toEqual([405])
  })

  it('does not open a tunnel', async () => {
    await gateway.send('CONNECT /gateway/api/users HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const upgrade =
      'GET /gateway/api/users HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\n\r\n'
    expect(statusesIn(await gateway.send(upgrade))).toEqual([501])
    expect(seen).toEqual([])
  })

  it.each([
    ['a length beside chunks', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['two lengths', 'Content-Length: 5\r\nContent-Length: 0\r\n\r\n'],
    ['a signed chunk size', 'Transfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n'],
    ['an unknown coding', 'Transfer-Encoding: identity\r\n\r\n'],
    ['an empty coding', 'Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n'],
    ['a bare LF', 'X-A: b\nContent-Length: 0\r\n\r\n'],
  ])('answers %s with one 400, closes, and asks nobody', async (_, rest) => {
    const smuggled = 'GET /gateway/api/users HTTP/1.1\r\nHost: localhost\r\n\r\n'
    const head = `POST /gateway/api/users HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${alice}\r\n`
    expect(statusesIn(await gateway.send(head + rest + smuggled))).toEqual([400])
    expect(seen).toEqual([])
  })

  it('reads nothing more of a connection after a badly framed request', async () => {
    const text = await gateway.send(
      'POST /gateway/api/users HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\nGET /gateway/api/users HTTP/1.1\r\nHost: localhost\r\n\r\n',
    )
    expect(statusesIn(text)).toEqual([501])
    expect(seen).toEqual([])
  })
})

describe('headers', () => {
  it('says who asks, whatever the client claims', async () => {
    const forged = [
      'X-User-Id',
      'x_user_id',
      'X.User.Id',
      'X-User-Scopes',
      'X-Forwarded-For',
      'Forwarded',
      'X-Real-IP',
      'X-Trace-Junk',
    ]
    const headers = Object.fromEntries(forged.map((name) => [name, 'evil']))
    await gateway.fetch('/gateway/api/users', { headers: { ...headers, connection: 'X-User-Id, traceparent' } })
    const sent = seen[0]?.headers ?? {}
    expect(Object.entries(sent).filter(([, value]) => value === 'evil')).toEqual([['x-trace-junk', 'evil']])
    expect(sent).toMatchObject({
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': `127.0.0.1:${gateway.port}`,
      traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/),
      'x-deadline-ms': expect.stringMatching(/^1[0-9]{4}$/),
    })
    expect([sent['x-caller'], sent['x-user-id']]).toEqual(['nobody', undefined])
  })

  it('names the verified user and keeps its token', async () => {
    await post('/gateway/api/users', { authorization: await gateway.bearer(['users:write']), 'x-user-id': 'mallory' })
    expect(seen[0]?.headers).toMatchObject({ 'x-caller': 'user', 'x-user-id': 'alice', 'x-user-scopes': 'users:write' })
    expect(seen[0]?.headers.authorization).toBeUndefined()
  })

  it('believes trusted proxies about where a request comes from, and counts its caller by that', async () => {
    await using behind = await startGateway({
      routes: {
        a: {
          prefix: '/a',
          upstream: 'a-service',
          methods: { GET: 'public' },
          read_limit: { per_second: 0.01, burst: 1 },
        },
      },
      trusted_proxies: ['127.0.0.0/8'],
      strip_headers: ['X-Shop-*'],
    })
    const got: IncomingMessage['headers'][] = []
    await behind.serve('a-service', (request, answer) => {
      got.push(request.headers)
      answer.end()
    })
    const ask = async (client: string) =>
      (
        await behind.fetch('/a', {
          headers: {
            'x-forwarded-for': `1.1.1.1, ${client}`,
            'x-forwarded-proto': 'https',
            'x-forwarded-host': 'shop.test',
            forwarded: 'for=1.1.1.1',
            'x-shop-id': '1',
          },
        })
      ).status
    expect([await ask('203.0.113.9'), await ask('203.0.113.9:1'), await ask('203.0.113.10')]).toEqual([200, 429, 200])
    expect(got[0]).toMatchObject({
      'x-forwarded-for': '203.0.113.9, 127.0.0.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'shop.test',
    })
    expect([got[0]?.forwarded, got[0]?.['x-shop-id']]).toEqual([undefined, undefined])
  })

  it('gives every answer the same ids that the upstream got', async () => {
    const answer = await gateway.fetch('/gateway/api/users', { headers: { 'x-request-id': 'mine' } })
    expect(answer.headers.get('x-request-id')).toBe('mine')
    expect(seen[0]?.headers['x-request-id']).toBe('mine')
    expect(seen[0]?.headers.traceparent).toContain(answer.headers.get('x-trace-id'))
  })
})

describe('tokens', () => {
  it('asks for one, and says so', async () => {
    const answer = await post('/gateway/api/users')
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/)
    expect(await answer.json()).toMatchObject({ title: 'Unauthorized', error: 'Unauthorized' })
    expect((await gateway.fetch('/gateway/api/orders')).status).toBe(401)
    expect(seen).toEqual([])
  })

  it('keeps the connection of a client that it refuses', async () => {
    const twice = 'GET /gateway/api/orders HTTP/1.1\r\nHost: localhost\r\n\r\n'
    const last = 'GET /gateway/api/orders HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
    expect(statusesIn(await gateway.send(twice + twice + last))).toEqual([401, 401, 401])
  })

  it.each([
    'Bearer x',
    'Bearer a.b.c',
    `Bearer ${forged({ alg: 'none' })}`,
    `Bearer ${forged({ alg: 'HS256' })}`,
    `Bearer ${forged({ alg: 'ES256', kid: '../x' })}`,
    'Bearer ',
    'Basic YTpi',
    'bearer',
  ])('refuses %j', async (authorization) => {
    expect((await gateway.fetch('/gateway/api/orders', { headers: { authorization } })).status).toBe(401)
    expect(seen).toEqual([])
  })

  it('refuses a bad token even where none is needed', async () => {
    for (const authorization of ['Bearer x', 'Bearer', 'Bearer\tx', 'Basic', 'x,y z']) {
      expect([
        authorization,
        (await gateway.fetch('/gateway/api/users', { headers: { authorization } })).status,
      ]).toEqual([authorization, 401])
    }
    expect((await gateway.fetch('/gateway/api/users', { headers: { authorization: alice } })).status).toBe(200)
    expect(seen).toMatchObject([{ headers: { 'x-user-id': 'alice' } }])
    expect((await gateway.fetch('/gateway/api/users', { headers: { authorization: 'Basic YTpi' } })).status).toBe(200)
  })

  it('refuses a token for somebody else', async () => {
    const token = await gateway.authority.mint({ subject: 'alice', audience: 'user-service', scopes: [] })
    expect((await post('/gateway/api/users', { authorization: `Bearer ${token}` })).status).toBe(401)
  })

  it('wants every scope that the route names', async () => {
    const remove = async (...scopes: string[]) =>
      gateway.fetch('/gateway/api/users/1', {
        method: 'DELETE',
        headers: { authorization: await gateway.bearer(scopes) },
      })
    const answer = await remove('users:write')
    expect(answer.status).toBe(403)
    expect(answer.headers.get('www-authenticate')).toContain('insufficient_scope')
    expect((await remove('users:write', 'users:delete')).status).toBe(200)
  })
})

describe('limits', () => {
  it('lets writes through at the configured rate, whatever header a client adds', async () => {
    const token = await gateway.authority.mint({ subject: 'bob', audience: 'api-gateway', scopes: [] })
    const statuses: number[] = []
    let last: Response | undefined
    for (const address of ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4']) {
      last = await post('/gateway/api/orders', {
        authorization: `Bearer ${token}`,
        'x-forwarded-for': address,
        'x-real-ip': address,
      })
      statuses.push(last.status)
    }
    expect(statuses).toEqual([200, 200, 429, 429])
    expect(Number(last?.headers.get('retry-after'))).toBeGreaterThan(50)
    expect(await last?.json()).toMatchObject({ code: 'RATE_LIMITED' })
    expect((await gateway.fetch('/gateway/api/orders', { headers: { authorization: `Bearer ${token}` } })).status).toBe(
      200,
    )
    expect(await gateway.metrics()).toMatch(
      /gateway_rate_limited_total\{route="\/gateway\/api\/orders",service="api-gateway"\} 2/,
    )
  })

  it('refuses a body that is announced as too large, and one that turns out so', async () => {
    const big = 'x'.repeat(200_000)
    const answer = await post('/gateway/api/users', { authorization: alice }, big)
    expect(answer.status).toBe(413)
    const chunked = await gateway.fetch('/gateway/api/users', {
      method: 'POST',
      headers: { authorization: alice },
      body: new Blob([big]).stream(),
      duplex: 'half',
    })
    expect(chunked.status).toBe(413)
    expect(seen).toEqual([])
  })
})

describe('other origins', () => {
  const preflight = (origin: string, path = '/gateway/api/orders') =>
    gateway.fetch(path, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } })

  it('answers a preflight without asking anybody', async () => {
    const answer = await preflight(SHOP)
    expect(answer.status).toBe(204)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'access-control-allow-origin': SHOP,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET, POST, OPTIONS',
      vary: 'origin',
    })
    expect((await preflight(SHOP, '/gateway/api/users/1/orders')).headers.get('access-control-allow-methods')).toBe(
      'GET, HEAD',
    )
    expect(seen).toEqual([])
  })

  it('lets the page read answers and errors', async () => {
    const headers = { origin: SHOP }
    expect((await gateway.fetch('/gateway/api/users', { headers })).headers.get('access-control-allow-origin')).toBe(
      SHOP,
    )
    const refused = await gateway.fetch('/gateway/api/orders', { headers })
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, SHOP])
  })

  it('refuses origins that nobody configured', async () => {
    for (const origin of ['https://evil.example', 'null', 'https://shop.example.evil']) {
      const answer = await preflight(origin)
      expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([403, null])
    }
  })
})
