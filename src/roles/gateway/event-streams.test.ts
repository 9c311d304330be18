import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type RawUpstream, until } from '../../kit/upstream/testing/sockets.ts'
import { type GatewayUnderTest, startGateway } from './testing/gateway-under-test.ts'

/** A silence, and much longer than the gateway's patience with an ordinary answer. */
const SILENCE_MS = 400_000
const IMPATIENT = {
  routes: {
    things: { prefix: '/things', upstream: 'thing-service', methods: { GET: 'public', HEAD: 'public' } as const },
  },
  upstream_timeout_ms: 100_000,
  deadline_ms: 200_000,
}

let gateway: GatewayUnderTest
let upstream: RawUpstream
/** What the upstream answers at once; the rest is the test's. */
let head = ''

async function start(config: object = {}) {
  gateway = await startGateway({ ...IMPATIENT, ...config })
  upstream = await gateway.serveRaw('thing-service', (socket) => socket.write(head, 'latin1'))
}
beforeEach(() => {
  head = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n'
})
afterEach(() => gateway[Symbol.asyncDispose]())

const GET = 'GET /things HTTP/1.1\r\nHost: localhost\r\n\r\n'
const send = (text: string) => {
  for (const socket of upstream.open) socket.write(`${text.length.toString(16)}\r\n${text}\r\n`)
}

/** A client of the gateway's with all that it has seen. */
async function reader(bytes = GET) {
  const seen = { text: '', closed: false }
  const socket = connect(gateway.port, '127.0.0.1').setEncoding('latin1')
  socket
    .on('error', () => {})
    .on('close', () => {
      seen.closed = true
    })
  socket.on('data', (text) => {
    seen.text += text
  })
  socket.write(bytes)
  await until(() => seen.text.includes('\r\n\r\n') || seen.closed, 'the head of the answer')
  return { seen, socket }
}

describe('an event stream', () => {
  it('begins before it ends: events arrive as they are sent', async () => {
    await start()
    const { seen } = await reader()
    for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
      send(event)
      await until(() => seen.text.includes(event), event)
    }
  })

  it.each([
    'text/event-stream',
    'Text/Event-Stream; charset=utf-8',
    'multipart/x-mixed-replace;boundary=x',
    'application/x-ndjson',
    'application/json; stream=watch',
  ])('of %s may be silent for as long as it likes', async (type) => {
    head = `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n`
    await start()
    const { seen } = await reader()
    await gateway.pass(SILENCE_MS)
    send('data: late\n\n')
    await until(() => seen.text.includes('data: late'), 'what comes after the silence')
    expect(seen.closed).toBe(false)
  })

  it('may be silent too where its end is the connection’s', async () => {
    head = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n'
    await start()
    const { seen } = await reader()
    await gateway.pass(SILENCE_MS)
    for (const socket of upstream.open) socket.end('data: last\n\n')
    await until(() => seen.text.endsWith('0\r\n\r\n'), 'the end')
    expect(seen.text).toContain('data: last')
  })

  it.each(['text/plain', 'application/json', 'text/event-streams', 'application/octet-stream'])(
    'is no body of %s: one that stalls is cut',
    async (type) => {
      head = `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n`
      await start()
      const { seen } = await reader()
      await until(() => seen.text.endsWith('x\r\n'), 'the body’s beginning')
      await gateway.pass(SILENCE_MS)
      await until(() => seen.closed && upstream.open.size === 0, 'both ends to be closed')
      expect(seen.text).not.toContain('0\r\n\r\n')
    },
  )

  it('has to begin in time all the same', async () => {
    head = ''
    await start()
    const reading = reader()
    await until(() => upstream.received.length === 1 && upstream.received[0] !== '', 'the request')
    await gateway.pass(SILENCE_MS)
    const { seen } = await reading
    expect(seen.text).toMatch(/^HTTP\/1\.1 504 /)
  })

  it('is ended after a silence of stream_idle_ms, the route’s own before the gateway’s, and nothing is held against the instance', async () => {
    const { things } = IMPATIENT.routes
    for (const config of [
      { stream_idle_ms: 60_000 },
      { stream_idle_ms: null, routes: { things: { ...things, stream_idle_ms: 60_000 } } },
    ]) {
      await start(config)
      for (let at = 0; at < 6; at++) {
        const { seen } = await reader()
        await gateway.pass(80_000)
        await until(() => seen.closed && upstream.open.size === 0, 'both ends to be closed')
        expect(seen.text).toMatch(/^HTTP\/1\.1 200 /)
      }
      expect(gateway.logged).toEqual([])
      await gateway[Symbol.asyncDispose]()
    }
    await start({ stream_idle_ms: 60_000, routes: { things: { ...things, stream_idle_ms: null } } })
    const { seen } = await reader()
    await gateway.pass(SILENCE_MS)
    expect(seen.closed).toBe(false)
  })

  it('closes the one end when the other leaves', async () => {
    await start()
    const leaves = await reader()
    leaves.socket.destroy()
    await until(() => upstream.open.size === 0, 'the upstream’s end to be closed')
    const left = await reader()
    for (const socket of upstream.open) socket.destroy()
    await until(() => left.seen.closed, 'the client’s end to be closed')
    expect(left.seen.text).not.toContain('0\r\n\r\n')
    const closed = await reader()
    for (const socket of upstream.open) socket.end()
    await until(() => closed.seen.closed, 'the client’s end to be closed')
  })

  it('is closed when its reader leaves without having taken what was sent', async () => {
    await start()
    const { socket } = await reader()
    socket.pause()
    let sent = 0
    const [source] = upstream.open
    while (source?.write(`10000\r\n${'x'.repeat(65_536)}\r\n`) && sent < 64) sent++
    socket.destroy()
    await until(() => upstream.open.size === 0, 'the upstream’s end to be closed')
  })

  it('is ended by the gateway’s own stop, which waits for no reader', async () => {
    await start()
    const { seen } = await reader()
    gateway.stop()
    await until(() => seen.closed && upstream.open.size === 0, 'both ends to be closed')
    const late = await reader()
    await until(() => late.seen.closed, 'a stream that begins while it stops to be ended')
  })

  it('that a client ends is no cut answer in the metrics and the log', async () => {
    await start()
    const { socket } = await reader()
    socket.destroy()
    await once(socket, 'close')
    await until(() => upstream.open.size === 0)
    expect(gateway.logged).toEqual([])
  })
})
