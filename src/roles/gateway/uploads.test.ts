import { once } from 'node:events'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { statusesIn } from '../../kit/http/testing/raw-requests.ts'
import { turnsOf } from '../../kit/testing/turns.ts'
import { always, until } from '../../kit/upstream/testing/sockets.ts'
import { type GatewayUnderTest, startGateway } from './testing/gateway-under-test.ts'
import { peakOf } from './testing/peak-memory.ts'
import { THINGS } from './testing/things.ts'

const MB = 1_048_576
const BIG = 64 * MB

let gateway: GatewayUnderTest
beforeEach(async () => {
  gateway = await startGateway(THINGS)
})
afterEach(() => gateway[Symbol.asyncDispose]())

describe('slow uploads', () => {
  it('hold their part of the connections and no more: the caller’s other requests and everybody else’s are answered at once', async () => {
    await using small = await startGateway({
      routes: {
        things: {
          prefix: '/things',
          upstream: 'thing-service',
          deadline_ms: 60_000,
          methods: { GET: 'public', POST: 'public' },
        },
      },
      pool: { max_connections: 8, upload_share: 0.5, caller_share: 0.25 },
    })
    const uploads = { seen: 0 }
    await small.serve('thing-service', (request, answer) => {
      if (request.method === 'POST') uploads.seen++
      else answer.end('ok')
    })
    const sockets: Socket[] = []
    const upload = (authorization: string) => {
      const socket = connect(small.port, '127.0.0.1').on('error', () => {})
      sockets.push(socket)
      socket.write(
        `POST /things HTTP/1.1\r\nHost: localhost\r\n${authorization}Content-Length: 1000000\r\n\r\n${'x'.repeat(20_000)}`,
      )
    }
    const alice = await small.bearer()
    try {
      for (let at = 0; at < 20; at++) upload('')
      await until(() => uploads.seen === 2, 'the share of the first caller')
      for (let at = 0; at < 20; at++) upload(`Authorization: ${alice}\r\n`)
      await until(() => uploads.seen === 4, 'the share of all uploads')
      const askOthers = async () => {
        for (const headers of [{}, { authorization: alice }]) {
          const answers = await Promise.all(Array.from({ length: 4 }, () => small.fetch('/things', { headers })))
          expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
        }
      }
      expect(await turnsOf(askOthers())).toBeLessThan(5_000)
      expect(uploads.seen).toBe(4)
    } finally {
      for (const socket of sockets) socket.destroy()
    }
  })

  it('tell who waits in vain for his share to come again, and hold nothing against the service', async () => {
    await using small = await startGateway({
      routes: {
        things: { prefix: '/things', upstream: 'thing-service', deadline_ms: 300, methods: { POST: 'public' } },
      },
      pool: { max_connections: 1 },
    })
    await small.serve('thing-service', () => {})
    const post = () => {
      const socket = connect(small.port, '127.0.0.1').on('error', () => {})
      socket.write(
        `POST /things HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(20_000)}`,
      )
      return text(socket)
    }
    const answers = await Promise.all(Array.from({ length: 8 }, post))
    const slow = answers.filter((answer) => answer.includes('INVALID_BODY'))
    const waited = answers.filter(
      (answer) => answer.startsWith('HTTP/1.1 503 ') && /\r\nretry-after: 1\r\n/i.test(answer),
    )
    // one may get the share of another whose time is up, just before its own is
    expect(waited.length).toBeGreaterThan(0)
    expect(slow.length + waited.length).toBe(8)
  })
})

describe('a request body', () => {
  /** Counts what arrives. */
  const counting = () => {
    const arrived = { size: 0, headers: {} as Record<string, unknown> }
    const serving = gateway.serve('thing-service', async (incoming, answer) => {
      arrived.headers = incoming.headers
      for await (const chunk of incoming) arrived.size += chunk.length
      answer.end(String(arrived.size))
    })
    return { arrived, serving }
  }

  it('flows through without being held, however big', async () => {
    const { arrived, serving } = counting()
    await serving
    const chunk = Buffer.alloc(65_536, 'x')
    const peak = await peakOf(async () => {
      const upload = request({
        port: gateway.port,
        method: 'PUT',
        path: '/things',
        headers: { 'content-length': BIG },
      })
      for (let sent = 0; sent < BIG; sent += chunk.length) if (!upload.write(chunk)) await once(upload, 'drain')
      upload.end()
      const [answer] = await once(upload, 'response')
      answer.resume()
      await once(answer, 'end')
    })
    expect(arrived.size).toBe(BIG)
    expect(peak).toBeLessThan(16)
  })

  it.each([0, 5, 4_096, 20_000, 300_000])('of %i bytes arrives whole, announced or in chunks', async (size) => {
    const { arrived, serving } = counting()
    await serving
    const bytes = 'x'.repeat(size)
    await gateway.fetch('/things', { method: 'POST', body: bytes })
    expect([arrived.size, arrived.headers['content-length'], arrived.headers['transfer-encoding']]).toEqual([
      size,
      String(size),
      undefined,
    ])
    const chunked = await gateway.fetch('/things', { method: 'POST', body: new Blob([bytes]).stream(), duplex: 'half' })
    expect(await chunked.text()).toBe(String(2 * size))
  })

  it('comes after 100 Continue', async () => {
    const { arrived, serving } = counting()
    await serving
    const upload = request({
      port: gateway.port,
      method: 'POST',
      path: '/things',
      headers: { expect: '100-continue', 'content-length': 5, connection: 'close' },
    })
    upload.flushHeaders()
    await once(upload, 'continue')
    upload.end('hello')
    const [answer] = await once(upload, 'response')
    answer.resume()
    expect([answer.statusCode, arrived.size, arrived.headers.expect]).toEqual([200, 5, undefined])
  })

  it('beyond the limit ends in 413 though nobody announced it', async () => {
    await using narrow = await startGateway({ ...THINGS, body_limit: 100_000 })
    const upstream = await narrow.serveRaw('thing-service', () => false)
    const answer = await narrow.fetch('/things', {
      method: 'POST',
      body: new Blob(['x'.repeat(300_000)]).stream(),
      duplex: 'half',
    })
    expect(answer.status).toBe(413)
    await until(() => upstream.open.size === 0)
  })

  it('that stays out occupies no connection and hurts nobody', async () => {
    const upstream = await gateway.serveRaw('thing-service', always('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
    const slow = Array.from({ length: 500 }, () => {
      const socket = connect(gateway.port, '127.0.0.1', () =>
        socket.write('POST /things HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx'),
      )
      return socket.on('error', () => {})
    })
    await Promise.all(slow.map((socket) => once(socket, 'connect')))
    for (let at = 0; at < 20; at++) expect((await gateway.fetch('/things')).status).toBe(200)
    expect(upstream.received.join('')).not.toContain('POST')
    for (const socket of slow) socket.destroy()
  })

  it('that the upstream does not want is cut short by its answer', async () => {
    await gateway.serveRaw('thing-service', (socket) =>
      socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno'),
    )
    const socket = connect(gateway.port, '127.0.0.1', () =>
      socket.write(`POST /things HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(50_000)}`),
    )
    const [bytes] = await once(socket, 'data')
    expect(statusesIn(bytes.toString())).toEqual([403])
    socket.destroy()
  })

  it('that breaks off is not completed for the upstream', async () => {
    const upstream = await gateway.serveRaw('thing-service', () => false)
    const socket = connect(gateway.port, '127.0.0.1', () =>
      socket.write(
        `POST /things HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n7530\r\n${'x'.repeat(20_000)}`,
      ),
    )
    await until(() => (upstream.received[0]?.length ?? 0) > 20_000)
    socket.destroy()
    await until(() => upstream.open.size === 0)
    expect(upstream.received[0]).not.toMatch(/\r\n0\r\n\r\n$/)
  })
})
