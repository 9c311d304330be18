import { connect, type Socket } from 'node:net'
import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock as clock } from '../../drivers/clock.ts'
import type { AppEnv } from './app-env.ts'
import type { Exchange } from './exchange.ts'
import { type Listener, type ListenerLimits, listen } from './listener.ts'
import { DEFAULT_LIMITS } from './testing/listener-limits.ts'
import { statusesIn } from './testing/raw-requests.ts'

const open: Listener[] = []
const clients: Socket[] = []
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  await Promise.all(open.splice(0).map((listener) => listener.drain(0)))
})

/** A listener whose requests wait until the test answers them, in the order they were begun. @param begin may answer one at once */
async function serve(limits: Partial<ListenerLimits> = {}, begin: (exchange: Exchange) => void = () => {}) {
  const begun: Exchange[] = []
  const handle = (exchange: Exchange) => {
    begin(exchange)
    return begun.push(exchange) > 0
  }
  const all = { ...DEFAULT_LIMITS, ...limits }
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    limits: all,
    layers: [],
    app: new Hono<AppEnv>(),
    handle,
    clock,
  })
  open.push(listener)
  return { begun, port: listener.port }
}

/** A client that keeps what it sees. */
function client(port: number, bytes: string) {
  const seen = { text: '', closed: false }
  const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'))
  clients.push(socket)
  socket.setEncoding('latin1').on('data', (text) => {
    seen.text += text
  })
  socket
    .on('error', () => {})
    .on('close', () => {
      seen.closed = true
    })
  return { socket, seen }
}

const get = (path: string | number, headers = '') => `GET /${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`
const many = (count: number) => Array.from({ length: count }, (_, at) => get(at)).join('')
const answer = ({ outgoing, path }: Exchange) => outgoing.writeHead(200, { 'content-length': path.length }).end(path)
const paths = (text: string) => [...text.matchAll(/\r\n\r\n\/(\d+)/g)].map(([, path]) => Number(path))

describe('a connection', () => {
  it('has so many requests under way; the others wait for their turn, and are answered in order', async () => {
    const { begun, port } = await serve({ requests_per_connection: 4 })
    const { seen } = client(port, many(3_000))
    await expect.poll(() => begun.length).toBe(4)
    for (let answered = 0; answered < 3_000; answered++) {
      await expect.poll(() => begun.length, { interval: 1 }).toBeGreaterThan(answered)
      expect(begun.length).toBeLessThanOrEqual(answered + 4)
      for (const exchange of begun.slice(answered)) answer(exchange)
      answered = begun.length - 1
    }
    await expect.poll(() => paths(seen.text).length).toBe(3_000)
    expect(paths(seen.text)).toEqual(Array.from({ length: 3_000 }, (_, at) => at))
  })

  it('isn’t read while it is full', async () => {
    const { begun, port } = await serve({ requests_per_connection: 4 })
    const { socket } = client(port, many(50))
    await expect.poll(() => begun.length).toBe(4)
    const flood = Buffer.alloc(64 * 1_048_576, get('x'))
    socket.write(flood)
    // what doesn't fit between the two stays with the sender
    await expect.poll(() => socket.bytesWritten - socket.writableLength).toBeLessThan(flood.length / 2)
    expect(begun).toHaveLength(4)
  })

  it.each([
    ['at once', 14_000, 100],
    ['late', 40_000, 300],
  ])('keeps long answers back for a client who reads them %s', async (when, bytes, count) => {
    const { begun, port } = await serve({}, ({ outgoing, path }) =>
      setImmediate(() => outgoing.end(path.padEnd(bytes))),
    )
    const { socket, seen } = client(port, many(count))
    if (when === 'late') {
      socket.pause()
      let seenBegun = 0
      await expect
        .poll(() => {
          const stalls = seenBegun > 0 && seenBegun === begun.length
          seenBegun = begun.length
          return stalls
        })
        .toBe(true)
      expect(begun.length).toBeLessThan(count)
      socket.resume()
    }
    await expect.poll(() => paths(seen.text).length).toBe(count)
    expect(paths(seen.text)).toEqual(Array.from({ length: count }, (_, at) => at))
  })

  it('reads the body of its last request though it is full', async () => {
    const { begun, port } = await serve({ requests_per_connection: 1 })
    const { seen } = client(
      port,
      `POST /1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n${'x'.repeat(200_000)}${get(2)}`,
    )
    await expect.poll(() => begun.length).toBe(1)
    begun[0]?.incoming.resume().once('end', () => begun[0] && answer(begun[0]))
    await expect.poll(() => begun.length).toBe(2)
    if (begun[1]) answer(begun[1])
    await expect.poll(() => paths(seen.text)).toEqual([1, 2])
  })

  it('keeps the bytes of bodies that come beside each other apart', async () => {
    const bodies = new Map<string, string>()
    const { port } = await serve({}, ({ incoming, outgoing, path }) => {
      let body = ''
      incoming.setEncoding('latin1').on('data', (text) => {
        body += text
        // what follows is held back in the middle of a read
        incoming.pause()
        setImmediate(() => incoming.resume())
      })
      incoming.on('end', () => {
        bodies.set(path, body)
        outgoing.end()
      })
    })
    const sent = new Map(Array.from({ length: 16 }, (_, at) => [`/${at}`, `${at % 10}`.repeat(100_000 + at)]))
    for (const [path, body] of sent) {
      const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\n`
      const chunks = body.match(/.{1,700}/g)?.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`) ?? []
      const framed = `Transfer-Encoding: chunked\r\n\r\n${chunks.join('')}0\r\n\r\n`
      client(port, head + (Number(path.slice(1)) % 2 ? framed : `Content-Length: ${body.length}\r\n\r\n${body}`))
    }
    await expect.poll(() => bodies.size).toBe(16)
    expect(bodies).toEqual(sent)
  })

  it('takes its turns with a large body', async () => {
    let inTurn = 0
    let most = 0
    let whole = 0
    const { port } = await serve({}, ({ incoming }) => {
      incoming.on('data', ({ length }: Buffer) => {
        if (inTurn === 0)
          setImmediate(() => {
            inTurn = 0
          })
        whole += length
        inTurn += length
        most = Math.max(most, inTurn)
      })
    })
    client(port, `POST /1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8000000\r\n\r\n${'x'.repeat(8_000_000)}`)
    await expect.poll(() => whole).toBe(8_000_000)
    expect(most).toBeLessThanOrEqual(640 * 1_024)
  })

  it('asks for a body only when it is read, and in its answer’s turn', async () => {
    const { begun, port } = await serve()
    const expecting = (path: number) =>
      `POST /${path} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n`
    const { seen, socket } = client(port, get(1) + expecting(2))
    await expect.poll(() => begun.length).toBe(2)
    const [first, second] = begun
    second?.incoming.resume().once('end', () => answer(second))
    expect(seen.text).toBe('')
    if (first) answer(first)
    await expect.poll(() => statusesIn(seen.text)).toEqual([200, 100])
    socket.write(`12345${expecting(3)}`)
    await expect.poll(() => begun.length).toBe(3)
    const [, , third] = begun
    third?.outgoing.writeHead(413, { 'content-length': 0 }).end()
    await expect.poll(() => statusesIn(seen.text)).toEqual([200, 100, 200, 413])
    expect(paths(seen.text)).toEqual([1, 2])
  })

  it('writes nothing into an answer that waits for its turn', async () => {
    const { begun, port } = await serve()
    const expecting = 'POST /2 HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n12345'
    const { seen } = client(port, get(1) + expecting)
    await expect.poll(() => begun.length).toBe(2)
    const [first, second] = begun
    second?.incoming.resume()
    second?.outgoing.writeHead(200, { 'content-length': 70_000 }).end('x'.repeat(70_000))
    await new Promise(setImmediate)
    if (first) answer(first)
    await expect.poll(() => seen.text.endsWith('x')).toBe(true)
    expect(statusesIn(seen.text)).toEqual([200, 200])
    expect(seen.text).not.toContain('100 Continue')
  })

  it('is closed when more wait in the whole role than may', async () => {
    const { begun, port } = await serve({ requests_per_connection: 2, held_requests: 10 })
    const greedy = client(port, many(20))
    await expect.poll(() => greedy.seen.closed).toBe(true)
    const { seen } = client(port, many(5))
    await expect.poll(() => begun.filter(({ outgoing }) => !outgoing.destroyed).length).toBe(2)
    for (let at = 0; at < begun.length; at++) {
      const exchange = begun[at]
      if (exchange && !exchange.outgoing.destroyed) answer(exchange)
      await expect.poll(() => exchange?.outgoing.destroyed, { interval: 1 }).toBe(true)
    }
    await expect.poll(() => paths(seen.text)).toEqual([0, 1, 2, 3, 4])
  })

  it('ends those under way and those that wait when its client leaves', async () => {
    const { begun, port } = await serve({ requests_per_connection: 4 })
    const { socket } = client(port, many(20))
    await expect.poll(() => begun.length).toBe(4)
    let closed = 0
    for (const { outgoing } of begun) outgoing.once('close', () => closed++)
    socket.resetAndDestroy()
    await expect
      .poll(() => {
        // a server that doesn't read learns that its client has gone when it writes
        if (begun[0] && !begun[0].outgoing.writableEnded) answer(begun[0])
        return closed
      })
      .toBe(4)
    expect(begun).toHaveLength(4)
  })

  it.each([
    ['no HTTP', 'nonsense\r\n\r\n', 400],
    ['a large header', get('x', `X: ${'x'.repeat(20_000)}\r\n`), 431],
    ['many headers', get('x', 'a:\r\n'.repeat(300)), 431],
    ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', 405],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['two lengths', get('x', 'Content-Length: 1\r\nContent-Length: 2\r\n'), 400],
    ['a coding nobody has', get('x', 'Transfer-Encoding: gzip, chunked\r\n'), 501],
  ])('answers %s with a problem, after the answers to what came before it, and closes', async (_, bytes, status) => {
    const { begun, port } = await serve()
    const { seen } = client(port, get(1) + get(2) + bytes + get(3))
    await expect.poll(() => begun.length).toBe(2)
    for (const exchange of begun) answer(exchange)
    await expect.poll(() => seen.closed, { timeout: 5_000 }).toBe(true)
    expect(statusesIn(seen.text)).toEqual([200, 200, status])
    expect(paths(seen.text)).toEqual([1, 2])
    const [, problem = ''] = seen.text.split(/HTTP\/1\.1 [345]/)
    expect(problem).toContain('application/problem+json')
    expect(problem).toMatch(/connection: close/i)
    expect(JSON.parse(problem.slice(problem.indexOf('{')))).toMatchObject({ status })
    expect(begun).toHaveLength(2)
  })

  it('answers a request whose body breaks off into nonsense, in its own place', async () => {
    const { begun, port } = await serve()
    const { seen } = client(
      port,
      `${get(1)}POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nzz\r\n`,
    )
    await expect.poll(() => begun.length).toBe(2)
    if (begun[0]) answer(begun[0])
    await expect.poll(() => seen.closed, { timeout: 5_000 }).toBe(true)
    expect(statusesIn(seen.text)).toEqual([200, 400])
  })

  it('never puts a problem behind half an answer', async () => {
    const { begun, port } = await serve()
    const { seen } = client(port, 'POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
    await expect.poll(() => begun.length).toBe(1)
    begun[0]?.outgoing.writeHead(200, { 'content-length': 10 }).write('half')
    await expect.poll(() => seen.text).toContain('half')
    clients[0]?.write('nonsense\r\n')
    await expect.poll(() => seen.closed).toBe(true)
    expect(seen.text.endsWith('half')).toBe(true)
  })

  it('answers its last request though more follows', async () => {
    const { begun, port } = await serve()
    const { seen } = client(port, `${get(1, 'Connection: close\r\n')}${get(2)}nonsense`)
    await expect.poll(() => begun.length).toBe(1)
    if (begun[0]) answer(begun[0])
    await expect.poll(() => seen.closed, { timeout: 5_000 }).toBe(true)
    expect(statusesIn(seen.text)).toEqual([200])
  })

  it('ends with a request to upgrade: node’s parser drops a part of what follows', async () => {
    const { begun, port } = await serve()
    const { seen } = client(port, `${get(1, 'Connection: upgrade\r\nUpgrade: h2c\r\n')}${get(2)}`)
    await expect.poll(() => begun.length).toBe(1)
    if (begun[0]) answer(begun[0])
    await expect.poll(() => seen.closed, { timeout: 5_000 }).toBe(true)
    expect(paths(seen.text)).toEqual([1])
    expect(begun).toHaveLength(1)
    // a client that offers h2c with its first request, as Java's does, would send the next one here
    expect(seen.text).toMatch(/^connection: close\r$/m)
  })

  it('takes the body of a request to upgrade that comes behind its head, as Java’s client sends it, and nothing further', async () => {
    const { begun, port } = await serve()
    const head = 'POST /1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 4\r\n\r\n'
    const { socket, seen } = client(port, head)
    await expect.poll(() => begun.length).toBe(1)
    begun[0]?.incoming.resume()
    socket.write(`body${get(2)}`)
    await expect.poll(() => begun[0]?.incoming.complete).toBe(true)
    socket.write(get(3))
    if (begun[0]) answer(begun[0])
    await expect.poll(() => seen.closed, { timeout: 5_000 }).toBe(true)
    expect(paths(seen.text)).toEqual([1])
    expect(begun).toHaveLength(1)
  })
})
