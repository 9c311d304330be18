import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock as clock } from '../../drivers/clock.ts'
import type { AppEnv } from './app-env.ts'
import type { Layer } from './exchange.ts'
import { type Listener, listen } from './listener.ts'
import { DEFAULT_LIMITS as limits } from './testing/listener-limits.ts'
import { exchangeBytes, statusesIn } from './testing/raw-requests.ts'

const open: Listener[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((listener) => listener.drain(0)))
})

async function start(app = new Hono<AppEnv>(), layers: readonly Layer[] = [], port = 0, monotonic = clock.monotonic) {
  const listener = await listen({ host: '127.0.0.1', port, limits, layers, app, clock: { ...clock, monotonic } })
  open.push(listener)
  return { listener, url: `http://127.0.0.1:${listener.port}/` }
}

/** Sends a request by one of its idle connections whenever it is told, from a thread of its own, and says in the end what became of each. */
const CLIENT = `
  const { connect } = require('node:net')
  const { parentPort, workerData: { port, count, sent } } = require('node:worker_threads')
  const request = 'GET / HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n'
  const idle = Array.from({ length: count }, () => connect(port, '127.0.0.1').once('data', () => ready()))
  for (const socket of idle) socket.write(request)
  let left = count
  const ready = () => --left === 0 && parentPort.postMessage('idle')
  const ends = []
  parentPort.on('message', () => {
    const socket = idle.pop()
    ends.push(new Promise((resolve) => {
      if (socket.closed) resolve('closed before')
      socket.once('data', () => resolve('answered')).once('error', ({ code }) => resolve(code)).once('close', () => resolve('closed'))
    }))
    socket.write(request, () => { Atomics.add(sent, 0, 1); Atomics.notify(sent, 0) })
    if (idle.length === 0) Promise.all(ends).then((how) => parentPort.postMessage(how))
  })`

describe('listen', () => {
  it('says what to do when its port is taken', async () => {
    const { port } = (await start()).listener
    await expect(start(new Hono<AppEnv>(), [], port)).rejects.toMatchObject({
      code: 'START_FAILED',
      message: `port ${port} on 127.0.0.1 is taken by another program; stop it, or choose another: serve --port, up --port-offset, or port: in its section (0 takes a free one)`,
    })
  })

  it('runs the layers in order and their leaving halves in reverse, once the answer is over', async () => {
    const steps: string[] = []
    const left = Promise.withResolvers<void>()
    const layer =
      (name: string, done = () => {}): Layer =>
      () => {
        steps.push(`${name} in`)
        return () => {
          steps.push(`${name} out`)
          done()
        }
      }
    const app = new Hono<AppEnv>().get('/', (c) => {
      steps.push('route')
      return c.text('here')
    })
    const { url } = await start(app, [layer('a', left.resolve), layer('b')])
    expect(await (await fetch(url)).text()).toBe('here')
    await left.promise
    expect(steps).toEqual(['a in', 'b in', 'route', 'b out', 'a out'])
  })

  it('lets a request under way finish when it drains, and takes no more', async () => {
    const asked = Promise.withResolvers<void>()
    const answer = Promise.withResolvers<void>()
    const app = new Hono<AppEnv>().get('/', async (c) => {
      asked.resolve()
      await answer.promise
      return c.text('done')
    })
    const { listener, url } = await start(app)
    const response = fetch(url)
    await asked.promise
    const drained = listener.drain(60_000)
    await expect(fetch(url)).rejects.toThrow()
    answer.resolve()
    expect(await (await response).text()).toBe('done')
    await drained
  })

  it('closes no idle connection, as it drains, on which a request came in the turn before', async () => {
    const { listener } = await start(new Hono<AppEnv>().get('/', (c) => c.text('here')))
    const sent = new Int32Array(new SharedArrayBuffer(4))
    const workerData = { port: listener.port, count: 50, sent }
    const client = new Worker(CLIENT, { eval: true, workerData })
    await once(client, 'message')
    // each turn takes a while, and meanwhile the next request comes
    let asked = 0
    const work = () => {
      client.postMessage('ask')
      asked++
      const sentBy = performance.now() + 10_000
      for (let now = 0; now < asked && performance.now() < sentBy; now = Atomics.load(sent, 0))
        Atomics.wait(sent, 0, now, 100)
      for (const until = performance.now() + 1; performance.now() < until; );
      if (asked < workerData.count) setImmediate(work)
    }
    setImmediate(work)
    const [[ends]] = await Promise.all([once(client, 'message'), listener.drain(60_000)])
    expect(ends).toEqual(Array(workerData.count).fill('answered'))
    await client.terminate()
  })

  it('gives a slow reader all of his answer as it drains, though it is ended', async () => {
    const size = 30_000_000
    const { listener } = await start(new Hono<AppEnv>().get('/', (c) => c.body('x'.repeat(size))))
    const socket = connect(listener.port, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await once(socket, 'readable')
    let read = 0
    const drained = listener.drain(60_000)
    await setTimeout(200)
    socket.on('data', ({ length }: Buffer) => {
      read += length
    })
    await once(socket, 'close')
    expect(read).toBeGreaterThan(size)
    await drained
  })

  it('waits for no connection whose request went on behind its answer', async () => {
    const { listener } = await start(new Hono<AppEnv>().post('/', (c) => c.text('no', 401)))
    const socket = connect(listener.port, '127.0.0.1')
    socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n')
    await once(socket, 'data')
    socket.write('0123456789')
    await setTimeout(100)
    const drained = listener.drain(60_000).then(() => 'drained')
    expect(await Promise.race([drained, setTimeout(20_000, 'waits')])).toBe('drained')
    socket.destroy()
  })

  it('waits for a request whose head had begun to come', async () => {
    const { listener } = await start(new Hono<AppEnv>().get('/', (c) => c.text('here')))
    const socket = connect(listener.port, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await once(socket, 'data')
    socket.write('GET / HTTP/1.1\r\n')
    await setTimeout(100)
    const drained = listener.drain(60_000)
    await setTimeout(200)
    socket.write('Host: localhost\r\n\r\n')
    const [answer] = await once(socket, 'data')
    expect(String(answer)).toContain('200 OK')
    await drained
  })

  it('cuts a connection too that leads elsewhere, when the time to drain is over', async () => {
    const { listener } = await start(new Hono<AppEnv>().get('/', () => new Promise<Response>(() => {})))
    const socket = connect(listener.port, '127.0.0.1').on('error', () => {})
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\nCONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n')
    await once(socket, 'connect')
    await setTimeout(100)
    await Promise.all([once(socket, 'close'), listener.drain(10)])
  })

  describe('that works off what waited while the process stood still', () => {
    /** By this clock it stood still a moment ago, whenever it is looked. */
    const standing = () => {
      let now = 0
      return () => {
        now += 2_000
        return now
      }
    }
    const chunked = 'GET /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n'
    const plain = 'GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n'

    it.for([
      // a route that wants no body has answered by then
      ['a body that is none', `${chunked}ZZ\r\n\r\n`, [404]],
      ['a body that is none behind another request', `${plain}${chunked}ZZ\r\n\r\n`, [404, 404]],
      ['what is none behind a request', `${plain}ZZ\r\n\r\n`, [404, 400]],
      ['what is none', 'ZZ\r\n\r\n', [400]],
    ] as const)('gives %s its answer, once', async ([, bytes, statuses]) => {
      const { listener } = await start(new Hono<AppEnv>(), [], 0, standing())
      expect(statusesIn(await exchangeBytes(listener.port, bytes))).toEqual(statuses)
    })

    it('lives on when clients leave that sent such things', async () => {
      const { listener, url } = await start(new Hono<AppEnv>(), [], 0, standing())
      for (const bytes of [`${chunked}ZZ\r\n\r\n`, `${plain}ZZ\r\n\r\n`, plain, 'ZZ\r\n\r\n']) {
        await new Promise<void>((resolve) => {
          const socket = connect(listener.port, '127.0.0.1', () => socket.end(bytes, 'latin1'))
          socket.on('error', () => {}).on('close', () => resolve())
          socket.resume()
        })
      }
      expect((await fetch(url)).status).toBe(404)
    })
  })

  it('cuts what is still under way when the time to drain is over', async () => {
    const asked = Promise.withResolvers<void>()
    const app = new Hono<AppEnv>().get('/', () => {
      asked.resolve()
      return new Promise<Response>(() => {})
    })
    const { listener, url } = await start(app)
    const response = expect(fetch(url)).rejects.toThrow()
    await asked.promise
    await listener.drain(0)
    await response
  })
})
