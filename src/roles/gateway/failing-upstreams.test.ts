import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { statusesIn } from '../../kit/http/testing/raw-requests.ts'
import { mutePort } from '../../kit/upstream/testing/mute-port.ts'
import { refusingPort } from '../../kit/upstream/testing/refusing-port.ts'
import { always, until } from '../../kit/upstream/testing/sockets.ts'
import { type GatewayUnderTest, startGateway } from './testing/gateway-under-test.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const THINGS = {
  routes: {
    things: {
      prefix: '/things',
      upstream: 'thing-service',
      methods: { GET: 'public', HEAD: 'public', POST: 'public', PUT: 'public' } as const,
    },
  },
  deadline_ms: 60_000,
  upstream_timeout_ms: 40_000,
}

let gateway: GatewayUnderTest
beforeEach(async () => {
  gateway = await startGateway(THINGS)
})
afterEach(() => gateway[Symbol.asyncDispose]())

const get = (path = '/things') => gateway.fetch(path)
const post = (init: RequestInit = {}) => gateway.fetch('/things', { method: 'POST', body: '{}', ...init })

describe('without an answer', () => {
  it('says 503 when no instance is known', async () => {
    const answer = await get()
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await answer.json()).toMatchObject({ code: 'UNREACHABLE', error: 'Service unavailable' })
  })

  it('says 502 when nobody listens, and why in the log', async () => {
    await using dead = await refusingPort()
    gateway.list('thing-service', dead.port)
    const answer = await get()
    expect(answer.status).toBe(502)
    expect(await answer.json()).toMatchObject({ code: 'UPSTREAM_FAILED', title: 'Bad Gateway' })
    expect(gateway.logged.join()).toContain('ECONNREFUSED')
    expect(await gateway.metrics()).toContain(
      'gateway_upstream_failures_total{upstream="thing-service",service="api-gateway"} 1',
    )
  })

  it('says 504 when the upstream is silent, and hangs up on it', async () => {
    const silent = await gateway.serveRaw('thing-service', () => false)
    const asking = get()
    await until(() => silent.received.join('').includes('GET'), 'the request')
    await gateway.pass(40_000)
    const answer = await asking
    expect(answer.status).toBe(504)
    expect(await answer.json()).toMatchObject({ code: 'UPSTREAM_TIMEOUT' })
    await until(() => silent.open.size === 0)
  })

  it.each([
    ['not HTTP/1.1', 'SSH-2.0-OpenSSH\r\n'],
    ['not HTTP/1.1', '\0\0\x18\x04\0\0\0\0\0'],
    ['not HTTP/1.1', 'HTTP/2 200\r\n\r\n'],
    ['not HTTP/1.1', '\r\nHTTP/1.1 200 OK\r\n\r\n'],
    ['a line that ends in a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok'],
    ['a line that ends in a bare LF', 'HTTP/1.1 200 OK\r\nA: b\nSet-Cookie: c=d\r\nContent-Length: 0\r\n\r\n'],
    ['a bare CR', 'HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n'],
    ['a status of 600', 'HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n'],
    ['a status of 099', 'HTTP/1.1 099\r\nContent-Length: 0\r\n\r\n'],
    ['a malformed status line or header', 'HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n'],
    ['a malformed status line or header', 'HTTP/1.1 200 OK\r\nNo colon\r\n\r\n'],
    ['a folded header line', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n'],
    ['a control character in its head', 'HTTP/1.1 200 OK\r\nA: \x01\r\n\r\n'],
    ['a head of more than 65536 bytes', `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(70_000)}\r\n\r\n`],
    ['a head of more than 65536 bytes', `HTTP/1.1 200 ${'x'.repeat(70_000)}`],
    ['two Content-Lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    [
      'a Content-Length beside Transfer-Encoding',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a switch of protocols that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n'],
  ])('calls it malformed and says 502 to %s: %.40j', async (fault, bytes) => {
    await gateway.serveRaw('thing-service', always(bytes))
    const answer = await get()
    const detail = `thing-service sent a malformed answer: ${fault}`
    expect([answer.status, await answer.json()]).toEqual([
      502,
      expect.objectContaining({ error: 'Bad gateway', detail }),
    ])
    expect(gateway.logged.join()).toContain(fault)
  })

  it('calls a second answer malformed as it does a first', async () => {
    const upstream = await gateway.serveRaw('thing-service', (socket, _, connection) =>
      socket.write(connection === 0 && socket.bytesWritten === 0 ? OK : 'HTTP/1.1 600 No\r\n\r\n'),
    )
    expect((await get()).status).toBe(200)
    expect(await (await get()).json()).toMatchObject({
      status: 502,
      detail: expect.stringContaining('a status of 600'),
    })
    expect(upstream.received.join('').match(/GET/g)).toHaveLength(2)
  })

  it('passes errors of the upstream on as they are', async () => {
    await gateway.serve('thing-service', (_, answer) => answer.writeHead(503, { 'retry-after': '7' }).end('theirs'))
    const answer = await get()
    expect([answer.status, answer.headers.get('retry-after'), await answer.text()]).toEqual([503, '7', 'theirs'])
  })
})

describe('another try', () => {
  it('goes to another instance when nothing could be sent, also with a POST', async () => {
    const alive = await gateway.serveRaw('thing-service', (socket, text) => {
      if (!text.endsWith('{}')) return false
      return socket.write(OK)
    })
    await using dead = await refusingPort()
    gateway.list('thing-service', dead.port, alive.port)
    const statuses = await Promise.all(Array.from({ length: 8 }, async () => (await post()).status))
    expect(statuses).toEqual(Array(8).fill(200))
    expect(alive.received.join('').match(/POST \/things/g)).toHaveLength(8)
  })

  it('is made for a GET whose connection broke', async () => {
    const broken = await gateway.serveRaw('thing-service', (socket) => {
      socket.destroy()
      return true
    })
    await gateway.serveRaw('thing-service', always(OK))
    const statuses = await Promise.all(Array.from({ length: 8 }, async () => (await get()).status))
    expect(statuses).toEqual(Array(8).fill(200))
    await until(() => broken.received.length > 0)
    expect(await gateway.metrics()).toMatch(/gateway_retries_total\{.*\} [1-9]/)
  })

  it('is never made for a POST that an instance may have seen', async () => {
    const upstream = await gateway.serveRaw('thing-service', (socket) => {
      socket.destroy()
      return true
    })
    const other = await gateway.serveRaw('thing-service', (socket) => {
      socket.destroy()
      return true
    })
    expect((await post()).status).toBe(502)
    expect((upstream.received.join('') + other.received.join('')).match(/POST/g)).toHaveLength(1)
  })

  it('is never made for a POST on a kept-alive connection that was just closing', async () => {
    const upstream = await gateway.serveRaw('thing-service', (socket, text) => {
      if (text.startsWith('GET')) return socket.write(OK)
      socket.destroy()
      return true
    })
    await get()
    expect((await post()).status).toBe(502)
    expect(upstream.received.join('').match(/POST/g)).toHaveLength(1)
  })

  it('is made for a POST with an Idempotency-Key', async () => {
    let posts = 0
    const answer = (socket: { write(text: string): boolean; destroy(): unknown }, text: string) => {
      if (!text.endsWith('{}')) return false
      if (posts++ > 0) return socket.write(OK)
      socket.destroy()
      return true
    }
    await gateway.serveRaw('thing-service', answer)
    await gateway.serveRaw('thing-service', answer)
    expect((await post({ headers: { 'idempotency-key': 'k1' } })).status).toBe(200)
    expect(posts).toBe(2)
  })

  it('is made on a fresh connection when an idle one was just being closed', async () => {
    const upstream = await gateway.serveRaw('thing-service', (socket, _, connection) => {
      if (connection === 0 && socket.bytesWritten > 0) {
        socket.destroy()
        return true
      }
      return socket.write(OK)
    })
    expect((await get()).status).toBe(200)
    expect((await get()).status).toBe(200)
    expect(upstream.received.length).toBe(2)
  })
})

describe('a failing instance', () => {
  it('is ejected after five failures in a row, and the others go on', async () => {
    let failures = 0
    await gateway.serve('thing-service', ({ url }, answer) => {
      // an ejected one is also asked whether it is well
      if (url === '/things') failures++
      answer.writeHead(500).end()
    })
    await gateway.serve('thing-service', (_, answer) => answer.end('ok'))
    for (let at = 0; at < 60; at++) await get()
    expect(failures).toBe(5)
  })

  it('is kept when it is the only one', async () => {
    let asked = 0
    await gateway.serve('thing-service', (_, answer) => {
      asked++
      answer.writeHead(500).end()
    })
    for (let at = 0; at < 8; at++) await get()
    expect(asked).toBe(8)
  })

  it('is not blamed for clients that go away', async () => {
    const upstream = await gateway.serveRaw('thing-service', () => false)
    const leave = new AbortController()
    const asking = gateway.fetch('/things', { signal: leave.signal }).catch(() => 'gone')
    await until(() => upstream.received.length === 1 && upstream.received[0] !== '')
    leave.abort()
    expect(await asking).toBe('gone')
    await until(() => upstream.open.size === 0, 'the upstream connection to be closed')
    expect(gateway.logged.join()).not.toContain('failed')
  })
})

describe.skipIf(process.platform !== 'linux')('an instance that says nothing, not even no', () => {
  it('costs one request the time to connect, which is answered by another instance', async () => {
    await using patient = await startGateway({ ...THINGS, deadline_ms: 20_000 })
    await using mute = await mutePort()
    const alive = await patient.serveRaw('thing-service', (socket, text) => text.endsWith('{}') && socket.write(OK))
    patient.list('thing-service', mute.port, alive.port)
    for (let at = 0; at < 30; at++) {
      expect((await patient.fetch('/things', { method: 'POST', body: '{}' })).status).toBe(200)
    }
    expect(await patient.metrics()).toMatch(/gateway_retries_total\{.*\} 1\n/)
  })
})

describe('in token mode', () => {
  it("sends the gateway's own token for the upstream", async () => {
    await using strict = await startGateway(THINGS, { mode: 'token' })
    let authorization: string | undefined
    await strict.serve('thing-service', (request, answer) => {
      authorization = request.headers.authorization
      answer.end()
    })
    expect((await strict.fetch('/things')).status).toBe(200)
    const token = authorization?.replace('Bearer ', '') ?? ''
    expect(await strict.authority.verify(token, 'thing-service')).toMatchObject({
      is: 'service',
      subject: 'api-gateway',
    })
  })
})

describe('an instance that vanished from the directory', () => {
  it('gets no more requests and its idle connections are closed', async () => {
    const old = await gateway.serveRaw('thing-service', always(OK))
    await get()
    expect(old.open.size).toBe(1)
    gateway.list('thing-service')
    await until(() => old.open.size === 0)
    expect((await get()).status).toBe(503)
  })
})

describe('a deadline', () => {
  it('counts from the beginning, over all attempts', async () => {
    const upstreams = [
      await gateway.serveRaw('thing-service', () => false),
      await gateway.serveRaw('thing-service', () => false),
    ]
    const asked = () => upstreams.flatMap(({ received }) => received).filter((text) => text.includes('GET')).length
    const asking = get()
    await until(() => asked() === 1, 'the first attempt')
    await gateway.pass(40_000)
    await until(() => asked() === 2, 'the second attempt')
    await gateway.pass(20_000)
    expect((await asking).status).toBe(504)
  })

  it('is the gateway’s own: a client can’t shorten it and have time-outs held against an instance', async () => {
    await gateway.serve('thing-service', (_, answer) => void setTimeout(() => answer.end('ok'), 60))
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => gateway.fetch('/things', { headers: { 'x-deadline-ms': '1' } })),
    )
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
  })

  it('also holds for a body that does not come', async () => {
    await using hurried = await startGateway({ ...THINGS, deadline_ms: 200 })
    const upstream = await hurried.serveRaw('thing-service', always(OK))
    const text = await hurried.send('POST /things HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc')
    expect(statusesIn(text)).toEqual([400])
    expect(upstream.received).toEqual([])
  })
})

describe('an ejected instance', () => {
  it('gets requests again as soon as it says that it is ready', async () => {
    let well = false
    for (const name of ['one', 'two']) {
      await gateway.serve('thing-service', (_, answer) => {
        answer.writeHead(name === 'one' || well ? 200 : 500).end(name)
      })
    }
    const who = async () => (await get()).text()
    const seen = async () => new Set(await Promise.all(Array.from({ length: 20 }, who)))
    await expect.poll(seen).toEqual(new Set(['one']))
    well = true
    await expect.poll(seen).toEqual(new Set(['one', 'two']))
  })
})
