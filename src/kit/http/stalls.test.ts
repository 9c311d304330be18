import { connect } from 'node:net'
import { Hono } from 'hono'
import { afterEach, expect, it } from 'vitest'
import type { AppEnv } from './app-env.ts'
import { type Listener, listen } from './listener.ts'
import { DEFAULT_LIMITS as limits } from './testing/listener-limits.ts'

let listener: Listener
afterEach(() => listener.drain(0))

/** A listener whose process can be said to have stood still, and how often it was asked for what. */
async function start() {
  const stall = { ms: 0 }
  const clock = { monotonic: () => performance.now() + stall.ms }
  const asked: string[] = []
  const app = new Hono<AppEnv>().post('/:who', (c) => {
    asked.push(c.req.param('who'))
    return c.text('done')
  })
  listener = await listen({ host: '127.0.0.1', port: 0, limits, layers: [], app, clock })
  const { port } = listener
  const request = (who: string) => `POST /${who} HTTP/1.1\r\nHost: localhost:${port}\r\nContent-Length: 2\r\n\r\n{}`
  return { port, stall, asked, request }
}

/** A client that sends its request and leaves; resolves when its system has said so to the server's. */
function leave(port: number, request: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.end(request, () => resolve()))
  })
}

it('does not work for clients that left while it stood still', async () => {
  const { port, stall, asked, request } = await start()
  const left = Array.from({ length: 20 }, (_, who) => leave(port, request(`gone-${who}`)))
  stall.ms = 10_000
  await Promise.all(left)
  const answers = Array.from({ length: 20 }, async (_, who) => {
    const answer = await fetch(`http://127.0.0.1:${port}/waiting-${who}`, { method: 'POST', body: '{}' })
    return answer.text()
  })
  expect(await Promise.all(answers)).toEqual(Array(20).fill('done'))
  expect(asked.filter((who) => who.startsWith('gone'))).toEqual([])
})

it('works for all that ask as long as it goes on', async () => {
  const { port, asked, request } = await start()
  const answered = new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(request('here'))).once('data', resolve)
    socket.once('data', () => socket.destroy())
  })
  await answered
  expect(asked).toEqual(['here'])
})
