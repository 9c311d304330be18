import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { always, until } from '../../kit/upstream/testing/sockets.ts'
import { type GatewayUnderTest, startGateway } from './testing/gateway-under-test.ts'
import { peakOf } from './testing/peak-memory.ts'
import { THINGS } from './testing/things.ts'

const MB = 1_048_576
const BIG = 128 * MB

let gateway: GatewayUnderTest
beforeEach(async () => {
  gateway = await startGateway(THINGS)
})
afterEach(() => gateway[Symbol.asyncDispose]())

const GET = 'GET /things HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'

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
    await gateway.serveRaw('thing-service', (socket) =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'),
    )
    const answer = await gateway.fetch('/things')
    await gateway.pass(10_000)
    await expect(answer.text()).rejects.toThrow()
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
