import { createServer, type RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Readiness } from '../../config/own-service.ts'
import { portOf } from '../../http/port-of.ts'
import { lookReady, untilReady } from './readiness.ts'

async function serve(handle: RequestListener, host = '127.0.0.1') {
  const server = createServer(handle)
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  return portOf(server)
}

const look = (ready: Readiness, port = 1, hasWritten = () => false) => ({
  ready,
  place: { host: '127.0.0.1', port },
  dir: tmpdir(),
  env: { PATH: process.env.PATH ?? '' },
  guard: { watch: () => {}, release: () => {} },
  hasWritten,
})
const never = new AbortController().signal

describe('whether a service is ready', () => {
  it('is told by an answer', async () => {
    let status = 503
    const port = await serve((_, answer) => answer.writeHead(status).end('x'))
    const options = look({ by: 'http', path: '/health' }, port)
    expect(await lookReady(options, never)).toBe('GET /health answers 503')
    status = 302
    expect(await lookReady(options, never)).toBeUndefined()
  })

  it('does not wait for one that is silent, and reads no endless answer', async () => {
    const port = await serve((incoming, answer) => {
      if (incoming.url !== '/endless') return
      const writing = setInterval(() => answer.write('x'.repeat(100_000)), 1)
      answer.once('close', () => clearInterval(writing))
    })
    expect(await lookReady(look({ by: 'http', path: '/silent' }, port), never)).toBe(
      "GET /silent doesn't answer within 1000 ms",
    )
    expect(await lookReady(look({ by: 'http', path: '/endless' }, port), never)).toBeUndefined()
  })

  it('ends its questions so that nobody writes of a broken connection', async () => {
    const faults: unknown[] = []
    let isOver = false
    const port = await serve((incoming, answer) => {
      incoming.socket.on('error', (fault) => faults.push(fault))
      answer.once('close', () => {
        isOver = true
      })
      answer.write('a')
      setTimeout(() => answer.end('b'), 50)
    })
    expect(await lookReady(look({ by: 'http', path: '/' }, port), never)).toBeUndefined()
    await expect.poll(() => isOver).toBe(true)
    expect(faults).toEqual([])
  })

  it('is told by a port, and where else somebody listens', async () => {
    const port = await serve(() => {})
    expect(await lookReady(look({ by: 'tcp' }, port), never)).toBeUndefined()
    expect(await lookReady(look({ by: 'tcp' }, 1), never)).toBe(
      'nobody listens on 127.0.0.1:1; it should on the port that PORT says',
    )
    const six = await serve(() => {}, '::1')
    expect(await lookReady(look({ by: 'tcp' }, six), never)).toBe(
      `it listens on [::1]:${six} alone; have it listen on HOST, 127.0.0.1`,
    )
  })

  it('is told by what it writes, by a command, or at once', async () => {
    expect(await lookReady(look({ by: 'log', text: 'up' }), never)).toBe('it hasn\'t written "up"')
    expect(
      await lookReady(
        look({ by: 'log', text: 'up' }, 1, () => true),
        never,
      ),
    ).toBeUndefined()
    expect(await lookReady(look({ by: 'exec', command: 'true' }), never)).toBeUndefined()
    expect(await lookReady(look({ by: 'exec', command: 'echo no table >&2; exit 3' }), never)).toBe(
      'echo no table >&2; exit 3 ended with exit code 3: no table',
    )
    expect(await lookReady(look({ by: 'exec', command: './none 2>/dev/null' }), never)).toBe(
      './none 2>/dev/null ended with exit code 127',
    )
    expect(await lookReady(look({ by: 'none' }), never)).toBeUndefined()
  })
})

it('tells why it takes long, once for each reason, and ends with the signal', async () => {
  let status = 500
  const port = await serve((_, answer) => answer.writeHead(status).end())
  const told: string[] = []
  const stop = new AbortController()
  const waiting = untilReady(
    look({ by: 'http', path: '/' }, port),
    (why) => {
      told.push(why)
      if (status === 501) stop.abort()
      status = 501
    },
    stop.signal,
  )
  await waiting
  expect(told).toEqual(['GET / answers 500', 'GET / answers 501'])
})
