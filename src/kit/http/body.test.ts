import { connect } from 'node:net'
import { Hono } from 'hono'
import { afterEach, describe, expect, it, vi } from 'vitest'
import * as z from 'zod'
import { systemClock as clock } from '../../drivers/clock.ts'
import { errors } from '../middleware/errors.ts'
import { silentLog } from '../telemetry/testing/recorded-log.ts'
import type { AppEnv } from './app-env.ts'
import { parseJson, readBody } from './body.ts'
import { type Listener, listen } from './listener.ts'
import { route } from './route.ts'
import { DEFAULT_LIMITS } from './testing/listener-limits.ts'
import { exchangeBytes, statusesIn } from './testing/raw-requests.ts'

const open: Listener[] = []
afterEach(async () => {
  vi.useRealTimers()
  await Promise.all(open.splice(0).map((listener) => listener.drain(1_000)))
})

/** A port where `POST /things` takes a small JSON object. */
async function serve(): Promise<number> {
  const app = new Hono<AppEnv>()
  errors(app, silentLog)
  app.post('/things', route({ summary: 'Make', scope: 'users:write', body: z.object({}), maxBytes: 1_000 }), (c) =>
    c.json({}, 201),
  )
  const listener = await listen({ host: '127.0.0.1', port: 0, limits: DEFAULT_LIMITS, layers: [], app, clock })
  open.push(listener)
  return listener.port
}

const HEAD = 'POST /things HTTP/1.1\r\nHost: localhost\r\n'
const LAST = `${HEAD}Connection: close\r\nContent-Length: 2\r\n\r\n{}`

describe('a body that is too large', () => {
  const size = 4_000_000
  /** The second, for which the rest is read, doesn't pass. */
  const holdTime = () => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  it.each([
    ['announced', `${HEAD}Content-Length: ${size}\r\n\r\n${' '.repeat(size)}`],
    ['in chunks', `${HEAD}Transfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n${' '.repeat(size)}\r\n0\r\n\r\n`],
  ])('is refused and read to its end, so that the sender sees the answer: %s', async (_, request) => {
    holdTime()
    // closing on bytes that still arrive resets the connection, and the answer is lost with it (RFC 9112 §9.6)
    expect(statusesIn(await exchangeBytes(await serve(), request + LAST))).toEqual([413, 201])
  })

  it.each([
    ['a route', '/things'],
    ['no route', '/nowhere'],
  ])('is read even when the connection is to be closed then, at %s', async (_, path) => {
    holdTime()
    const socket = connect(await serve(), '127.0.0.1')
    const faults: Error[] = []
    socket.on('error', (fault) => faults.push(fault))
    socket.write(`POST ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ${size}\r\n\r\n`)
    socket.write(' '.repeat(size))
    let answer = ''
    for await (const chunk of socket) answer += String(chunk)
    expect(answer).toMatch(/^HTTP\/1.1 4/)
    expect(faults).toEqual([])
  })

  it('is not read for ever', async () => {
    const port = await serve()
    expect(statusesIn(await exchangeBytes(port, `${HEAD}Content-Length: ${size}\r\n\r\nnever more`))).toEqual([413])
  })
})

it('comes to large bodies one in a turn, however many end in the same one', async () => {
  const app = new Hono<AppEnv>()
  let turn = 0
  let ticking = setImmediate(function tick() {
    turn++
    ticking = setImmediate(tick)
  })
  const turns: number[] = []
  app.post('/things', async (c) => {
    await readBody(c)
    turns.push(turn)
    return c.body(null)
  })
  const listener = await listen({ host: '127.0.0.1', port: 0, limits: DEFAULT_LIMITS, layers: [], app, clock })
  open.push(listener)
  const size = 200_000
  const clients = Array.from({ length: 8 }, () => connect(listener.port, '127.0.0.1').resume())
  for (const client of clients) client.write(`${HEAD}Content-Length: ${size}\r\n\r\n${'x'.repeat(size - 1)}`)
  await expect
    .poll(() => clients.every(({ bytesWritten, writableLength }) => bytesWritten > size && writableLength === 0))
    .toBe(true)
  for (const client of clients) client.write('x')
  await expect.poll(() => turns.length).toBe(8)
  clearImmediate(ticking)
  for (const client of clients) client.destroy()
  expect(new Set(turns).size).toBe(8)
})

describe('parseJson', () => {
  const parse = (text: string) => () => parseJson(Buffer.from(text))

  it.each([
    ['objects', '{}'],
    ['lists', '[]'],
    ['numbers', '1'],
  ])('refuses more than 100 000 values in a document: %s', (_, value) => {
    expect(parse(`[${`${value},`.repeat(100_000)}${value}]`)).toThrow(expect.objectContaining({ status: 413 }))
  })

  it('takes what looks like many values in a text', () => {
    expect(parse(JSON.stringify('[,'.repeat(100_000)))()).toHaveLength(200_000)
    const keys = (count: number) =>
      JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, n) => [n, ':'])))
    expect(parse(keys(20_000))).not.toThrow()
    expect(parse(keys(20_001))).toThrow(expect.objectContaining({ status: 413 }))
  })

  it('takes as many values as a large message has', () => {
    expect(parse(`[${'0.123456,'.repeat(99_000)}1]`)()).toHaveLength(99_001)
  })
})
