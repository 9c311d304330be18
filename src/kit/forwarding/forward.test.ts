import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock as clock } from '../../drivers/clock.ts'
import { parseEndpoint } from '../discovery/endpoint.ts'
import { portOf } from '../http/port-of.ts'
import { InstancePool } from '../upstream/pool.ts'
import { type RawAnswer, type RawUpstream, rawUpstream, until } from '../upstream/testing/sockets.ts'
import { startWatchdog, type Watchdog } from '../upstream/watchdog.ts'
import { type Attempt, forward, type Outcome } from './forward.ts'

let upstream: RawUpstream
let front: Server
let pool: InstancePool
let watchdog: Watchdog
let outcomes: Outcome[]
let answers: ServerResponse[]

/** A server whose every request is forwarded to a raw upstream. */
async function start(answer: RawAnswer, changes: Partial<Attempt> = {}) {
  upstream = await rawUpstream(answer)
  pool = new InstancePool(
    {
      endpoint: parseEndpoint(`http://127.0.0.1:${upstream.port}`),
      connectTimeoutMs: 30_000,
      idleMs: 30_000,
      clock,
    },
    {
      maxConnections: 10,
      maxWaiting: 10,
      maxWaitingUploads: 10,
      uploadShare: 1,
      callerShare: 1,
    },
  )
  front = createServer((_, outgoing) => {
    answers.push(outgoing)
    forward({
      pool,
      outgoing,
      method: 'GET',
      head: 'GET / HTTP/1.1\r\nhost: a\r\n\r\n',
      body: { kind: 'none' },
      once: false,
      caller: 1,
      bodyLimit: 0,
      deadlineAt: clock.monotonic() + 30_000,
      silenceMs: 30_000,
      streamIdleMs: undefined,
      uploadStallMs: undefined,
      stopping: new AbortController().signal,
      headers: (head) => [...head.rawHeaders],
      clock,
      watchdog,
      done: (outcome) => void outcomes.push(outcome),
      ...changes,
    })
  })
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
}

beforeEach(() => {
  watchdog = startWatchdog({ clock, beatMs: 5 })
  outcomes = []
  answers = []
})
afterEach(async () => {
  watchdog.stop()
  pool.destroy()
  front.closeAllConnections()
  await new Promise((resolve) => front.close(resolve))
  await upstream.close()
})

const get = () => fetch(`http://127.0.0.1:${portOf(front)}/`)

describe('forward', () => {
  it('holds at most 64 KB for a client that reads nothing', async () => {
    let blocked = false
    await start((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n')
      const chunk = Buffer.alloc(65_536)
      const more = () => {
        while (socket.write(chunk));
        blocked = true
      }
      socket.on('drain', () => {
        blocked = false
        more()
      })
      more()
      return true
    })
    const reader = connect(portOf(front), '127.0.0.1')
    reader.pause().write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    let held = -1
    await until(() => {
      const before = held
      held = answers[0]?.writableLength ?? 0
      return blocked && held > 0 && held === before
    })
    expect(held).toBeLessThanOrEqual(65_536)
    reader.destroy()
    await until(() => outcomes.length === 1)
    expect(outcomes).toEqual([{ kind: 'client-gone' }])
    await until(() => upstream.open.size === 0)
  })

  it('tells how it went, once, and lets go of everything', async () => {
    await start((socket) => socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno'))
    expect(await (await get()).text()).toBe('no')
    expect(outcomes).toEqual([{ kind: 'answered', status: 404 }])
    expect(watchdog.size).toBe(0)
    expect(answers[0]?.listenerCount('close')).toBe(0)
    expect(pool.pending).toBe(0)
  })

  it('gives a silent upstream up', async () => {
    await start(() => false, { silenceMs: 20 })
    const asking = get().catch(() => undefined)
    await until(() => outcomes.length === 1)
    expect(outcomes).toEqual([{ kind: 'timeout' }])
    answers[0]?.end()
    await asking
  })

  it('tells a broken connection from one that was just being closed', async () => {
    await start((socket, text, connection) => {
      if (connection === 0 && socket.bytesWritten === 0)
        return socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
      if (text.length > 0) socket.destroy()
      return true
    })
    await (await get()).text()
    for (const [before, stale] of [true, false].entries()) {
      const asking = get().catch(() => undefined)
      await until(() => outcomes.length === before + 2)
      expect(outcomes.at(-1)).toMatchObject({ kind: 'broken', stale })
      answers.at(-1)?.end()
      await asking
    }
  })

  it('lets a waiting request go when its client goes', async () => {
    await start(() => false)
    const reader = connect(portOf(front), '127.0.0.1', () => reader.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
    await until(() => upstream.received.some((text) => text !== ''))
    reader.destroy()
    await once(reader, 'close')
    await until(() => outcomes.length === 1 && upstream.open.size === 0)
  })
})
