import { gzipSync } from 'node:zlib'
import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock as clock } from '../../drivers/clock.ts'
import { errors } from '../middleware/errors.ts'
import { silentLog } from '../telemetry/testing/recorded-log.ts'
import type { AppEnv } from './app-env.ts'
import { readBody } from './body.ts'
import { type Listener, listen } from './listener.ts'
import { DEFAULT_LIMITS } from './testing/listener-limits.ts'

const MOST = 200_000
const open: Listener[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((listener) => listener.drain(1_000)))
})

async function send(body: Buffer | ReadableStream, encoding = 'gzip') {
  const app = new Hono<AppEnv>()
  errors(app, silentLog)
  app.post('/', async (c) => c.text((await readBody(c, MOST)).toString()))
  const listener = await listen({ host: '127.0.0.1', port: 0, limits: DEFAULT_LIMITS, layers: [], app, clock })
  open.push(listener)
  const headers = { 'content-encoding': encoding }
  const init: RequestInit & { duplex: 'half' } = { method: 'POST', headers, body, duplex: 'half' }
  const answer = await fetch(`http://127.0.0.1:${listener.port}/`, init)
  return { status: answer.status, text: await answer.text(), headers: answer.headers }
}

const inChunks = (bytes: Buffer) => new Blob([new Uint8Array(bytes)]).stream()
const EMPTY_MEMBERS = Buffer.concat(Array(12_000).fill(gzipSync('')))

describe('a body by gzip', () => {
  it.each(['gzip', 'GZIP', 'x-gzip'])('is inflated: %s', async (encoding) => {
    const text = JSON.stringify({ text: 'é'.repeat(90_000) })
    expect(await send(gzipSync(text), encoding)).toMatchObject({ status: 200, text })
    expect(await send(inChunks(gzipSync(text)), encoding)).toMatchObject({ status: 200, text })
    expect(await send(gzipSync(''), encoding)).toMatchObject({ status: 200, text: '' })
  })

  it.each([
    ['one that becomes too large', gzipSync(Buffer.alloc(50_000_000)), 413],
    ['a little one that becomes too large', gzipSync(Buffer.alloc(MOST + 1)), 413],
    ['one that is too large and becomes nothing', inChunks(EMPTY_MEMBERS), 413],
    ['one that is none', Buffer.from('{"a":1}'), 400],
    ['one whose end is missing', gzipSync('x'.repeat(100_000)).subarray(0, -9), 400],
    ['nothing at all', Buffer.alloc(0), 400],
  ])('is refused: %s', async (_, body, status) => {
    expect((await send(body)).status).toBe(status)
  })

  it.each(['br', 'deflate', 'zstd', 'gzip, gzip', 'x'])(
    'is refused by another coding, naming gzip: %s',
    async (encoding) => {
      const { status, headers } = await send(Buffer.from('{}'), encoding)
      expect([status, headers.get('accept-encoding')]).toEqual([415, 'gzip, identity'])
    },
  )
})
