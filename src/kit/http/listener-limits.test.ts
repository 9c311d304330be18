import { once } from 'node:events'
import { connect } from 'node:net'
import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock as clock } from '../../drivers/clock.ts'
import type { AppEnv } from './app-env.ts'
import { readBody } from './body.ts'
import { type Listener, type ListenerLimits, listen } from './listener.ts'
import { DEFAULT_LIMITS } from './testing/listener-limits.ts'
import { exchangeBytes, statusesIn } from './testing/raw-requests.ts'

const open: Listener[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((listener) => listener.drain(0)))
})

/** A port where everything is taken, within limits. */
async function serve(limits: Partial<ListenerLimits> = {}): Promise<number> {
  const app = new Hono<AppEnv>()
  app.all('*', async (c) => c.text(String((await readBody(c)).length)))
  const all = { ...DEFAULT_LIMITS, ...limits }
  const listener = await listen({ host: '127.0.0.1', port: 0, limits: all, layers: [], app, clock })
  open.push(listener)
  return listener.port
}

describe('a listener’s limits', () => {
  it('are those of an edge server by default', () => {
    expect(DEFAULT_LIMITS).toMatchObject({
      header_bytes: 16_384,
      header_fields: 200,
      body_pieces: 16_384,
      headers_timeout_ms: 10_000,
      request_timeout_ms: 30_000,
      requests_per_connection: 32,
      held_requests: 4_096,
      held_body_bytes: 67_108_864,
      max_connections: 10_000,
      connections_share: 0.5,
    })
  })

  it.each([
    ['a head that does not end', 'GET / HTTP/1.1\r\nHost: loc'],
    ['a body that does not come', 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nab'],
    ['chunks that do not end', 'POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n'],
  ])('end %s', async (_, bytes) => {
    const port = await serve({ headers_timeout_ms: 100, request_timeout_ms: 200 })
    expect(statusesIn(await exchangeBytes(port, bytes))).toEqual([408])
  })

  it.each([
    ['a long header', `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(16_500)}\r\n\r\n`],
    ['many headers', `GET / HTTP/1.1\r\nHost: localhost\r\n${'X: y\r\n'.repeat(3_500)}\r\n`],
    ['a long target', `GET /${'x'.repeat(16_500)} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
  ])('refuse %s', async (_, bytes) => {
    expect(statusesIn(await exchangeBytes(await serve(), bytes))).toEqual([431])
  })

  it('give up idle connections, the oldest first, before new ones are turned away', async () => {
    const port = await serve({ max_connections: 10 })
    const join = async () => {
      const socket = connect(port, '127.0.0.1').on('error', () => {})
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
      await once(socket, 'data')
      return socket
    }
    const idle = [await join(), ...(await Promise.all(Array.from({ length: 8 }, join)))]
    const closed = expect.poll(() => idle[0]?.closed).toBe(true)
    for (let asked = 0; asked < 20; asked++) {
      const bytes = 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
      expect(statusesIn(await exchangeBytes(port, bytes))).toEqual([200])
    }
    await closed
    for (const socket of idle) socket.destroy()
  })

  it('leave a connection beyond the last one without an answer, and the others alone', async () => {
    const port = await serve({ max_connections: 1 })
    const first = connect(port, '127.0.0.1')
    await once(first, 'connect')
    first.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await once(first, 'data')
    expect(await exchangeBytes(port, 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')).toBe('')
    first.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    expect(String(await once(first, 'data'))).toMatch(/^HTTP\/1.1 200/)
    first.destroy()
  })
})
