import { once } from 'node:events'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { statusesIn } from '../../kit/http/testing/raw-requests.ts'
import { type GatewayUnderTest, startGateway } from './testing/gateway-under-test.ts'
import { always, until } from './testing/sockets.ts'

const MB = 1_048_576
const BIG = 128 * MB
const THINGS = {
  routes: [
    {
      prefix: '/things',
      upstream: 'thing-service',
      methods: { GET: 'public', HEAD: 'public', POST: 'public', PUT: 'public' } as const,
    },
  ],
  body_limit: 1_024 * MB,
}

let gateway: GatewayUnderTest
beforeEach(async () => {
  gateway = await startGateway(THINGS)
})
afterEach(() => gateway[Symbol.asyncDispose]())

const GET = 'GET /things HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'

/** Most memory in use, garbage left out, beyond what was at the beginning, while `work` runs: buffers and heap, MB. */
async function peakOf(work: () => Promise<unknown>): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  const used = () => {
    if (typeof collect === 'function') collect()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return (heapUsed + arrayBuffers) / MB
  }
  const before = used()
  let peak = 0
  const timer = setInterval(() => {
    peak = Math.max(peak, used() - before)
  }, 20)
  await work()
  clearInterval(timer)
  return peak
}

describe('slow uploads', () => {
  it('hold their part of the connections and no more: the caller’s other requests and everybody else’s are answered at once', async () => {
    await using small = await startGateway({
      routes: [
        {
          prefix: '/things',
          upstream: 'thing-service',
          deadline_ms: 60_000,
          methods: { GET: 'public', POST: 'public' },
        },
      ],
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
      const began = performance.now()
      for (const headers of [{}, { authorization: alice }]) {
        const answers = await Promise.all(Array.from({ length: 4 }, () => small.fetch('/things', { headers })))
        expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
      }
      expect(performance.now() - began).toBeLessThan(5_000)
      expect(uploads.seen).toBe(4)
    } finally {
      for (const socket of sockets) socket.destroy()
    }
  })

  it('tell who waits in vain for his share to come again, and hold nothing against the service', async () => {
    await using small = await startGateway({
      routes: [{ prefix: '/things', upstream: 'thing-service', deadline_ms: 300, methods: { POST: 'public' } }],
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

describe('a big response', () => {
  it('flows through without being held', async () => {
    const chunk = Buffer.alloc(65_536, 'x')
    await gateway.serve('thing-service', async (_, answer) => {
      answer.writeHead(200, { 'content-length': BIG })
      for (let sent = 0; sent < BIG; sent += chunk.length) {
        if (!answer.write(chunk)) await once(answer, 'drain')
      }
      answer.end()
    })
    let size = 0
    const peak = await peakOf(async () => {
      const answer = await gateway.fetch('/things')
      for await (const part of answer.body ?? []) size += part.length
    })
    expect(size).toBe(BIG)
    expect(peak).toBeLessThan(16)
  })

  it('waits for a slow reader at little cost', async () => {
    let sent = 0
    const chunk = Buffer.alloc(65_536, 'x')
    await gateway.serve('thing-service', (_, answer) => {
      const more = () => {
        for (let goesOn = true; goesOn && sent < 64 * MB; sent += chunk.length) goesOn = answer.write(chunk)
        if (sent >= 64 * MB) answer.end()
      }
      answer.on('drain', more)
      more()
    })
    const reader = connect(gateway.port, '127.0.0.1')
    reader.pause().write(GET)
    let last = -1
    await until(() => {
      const still = sent > 0 && sent === last
      last = sent
      return still
    })
    // what left the upstream lies in the kernel's socket buffers, of which there are four on the way
    expect(sent).toBeLessThan(32 * MB)
    let read = 0
    reader.on('data', (bytes) => {
      read += bytes.length
    })
    reader.resume()
    await once(reader, 'close')
    expect(read).toBeGreaterThan(64 * MB)
  })

  it('arrives whole in chunks, byte by byte, or until the close', async () => {
    await gateway.serveRaw('thing-service', (socket, text) => {
      const path = /^GET (\S+)/.exec(text)?.[1]
      if (path === '/things/chunked') {
        socket.write(
          'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nT: r\r\n\r\n',
        )
      } else if (path === '/things/close') socket.end('HTTP/1.1 200 OK\r\n\r\nhello world')
      else {
        const bytes = [...'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world']
        const next = () => {
          const byte = bytes.shift()
          if (byte !== undefined) socket.write(byte, () => setImmediate(next))
        }
        next()
      }
      return true
    })
    for (const path of ['/things/chunked', '/things/close', '/things/bytes']) {
      expect(await (await gateway.fetch(path)).text()).toBe('hello world')
    }
  })

  it('is passed on as compressed as it came', async () => {
    const packed = '\x1f\x8b not really gzip'
    await gateway.serveRaw(
      'thing-service',
      always(`HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${packed.length}\r\n\r\n${packed}`),
    )
    const text = await gateway.send(GET)
    expect(text).toContain('Content-Encoding: gzip')
    expect(text.endsWith(packed)).toBe(true)
  })

  it('is passed on as a redirect, not followed', async () => {
    await gateway.serveRaw(
      'thing-service',
      always('HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n'),
    )
    const answer = await gateway.fetch('/things')
    expect([answer.status, answer.headers.get('location')]).toEqual([302, 'http://169.254.169.254/'])
  })

  it('has no body where there is none', async () => {
    await gateway.serve('thing-service', (incoming, answer) => {
      if (incoming.method === 'HEAD') answer.writeHead(200, { 'content-length': 5, etag: '"1"' }).end()
      else answer.writeHead(incoming.url === '/things/204' ? 204 : 304, { etag: '"1"' }).end()
    })
    const head = await gateway.fetch('/things', { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '5'])
    expect((await gateway.fetch('/things/204')).status).toBe(204)
    expect((await gateway.fetch('/things/304')).status).toBe(304)
  })

  it('begins before it ends: events arrive as they are sent', async () => {
    let send = (_: string) => {}
    await gateway.serve('thing-service', (_, answer) => {
      answer.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
      send = (text) => void answer.write(text)
    })
    const leave = new AbortController()
    const answer = await gateway.fetch('/things', { signal: leave.signal })
    const reader = answer.body?.getReader()
    for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
      send(event)
      const { value } = (await reader?.read()) ?? {}
      expect(Buffer.from(value ?? []).toString()).toBe(event)
    }
    leave.abort()
  })
})

describe('a response that is cut off', () => {
  const half = (head: string) => (socket: { write(text: string): unknown; destroy(): unknown }) => {
    socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n`)
    setImmediate(() => socket.destroy())
    return true
  }

  it.each([
    ['by length', 'Content-Length: 10\r\n\r\nabc'],
    ['in chunks', 'Transfer-Encoding: chunked\r\n\r\n3\r\nabc'],
  ])('%s is seen as cut', async (_, head) => {
    await gateway.serveRaw('thing-service', half(head))
    await expect(gateway.fetch('/things').then((answer) => answer.text())).rejects.toThrow()
    expect(gateway.logged.join()).toContain('thing-service failed')
  })

  it('is reset for a client that could not tell', async () => {
    await gateway.serveRaw('thing-service', half('Transfer-Encoding: chunked\r\n\r\n3\r\nabc'))
    const socket = connect(gateway.port, '127.0.0.1', () =>
      socket.write('GET /things HTTP/1.0\r\nHost: localhost\r\n\r\n'),
    )
    const [error] = await once(socket.resume(), 'error')
    expect(error).toMatchObject({ code: 'ECONNRESET' })
  })

  it('by silence is seen as cut', async () => {
    await using impatient = await startGateway({ ...THINGS, upstream_timeout_ms: 150 })
    await impatient.serveRaw('thing-service', (socket) =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'),
    )
    await expect((await impatient.fetch('/things')).text()).rejects.toThrow()
  })
})

describe('what nobody asked for', () => {
  it('is given to nobody when it comes with a response', async () => {
    const evil = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'
    const upstream = await gateway.serveRaw(
      'thing-service',
      always(`HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood${evil}`),
    )
    for (let at = 0; at < 3; at++) expect(await (await gateway.fetch('/things')).text()).toBe('good')
    expect(upstream.received).toHaveLength(3)
  })

  it('is given to nobody when it comes on an idle connection', async () => {
    const upstream = await gateway.serveRaw('thing-service', always('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood'))
    expect(await (await gateway.fetch('/things')).text()).toBe('good')
    for (const socket of upstream.open) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil')
    await until(() => upstream.open.size === 0)
    expect(await (await gateway.fetch('/things')).text()).toBe('good')
  })

  it('is refused as a body of an answer to HEAD', async () => {
    const upstream = await gateway.serveRaw('thing-service', always('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'))
    await gateway.fetch('/things', { method: 'HEAD' })
    expect(await (await gateway.fetch('/things')).text()).toBe('evil')
    expect(upstream.received).toHaveLength(2)
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
