import { once } from 'node:events'
import { createServer, Server } from 'node:net'
import { Worker } from 'node:worker_threads'
import { expect, it, vi } from 'vitest'
import { accept, SOCKETS } from '../../src/kit/http/accepting.ts'
import { portOf } from '../../src/kit/http/port-of.ts'

/** Until something has come of a connection, milliseconds. */
const PATIENCE_MS = 10_000

/** Connects so often whenever it is told, from a thread of its own, and says what became of each connection in the end. */
const CLIENT = `
  const { connect } = require('node:net')
  const { parentPort, workerData: { port, settled } } = require('node:worker_threads')
  const ends = []
  const count = () => { Atomics.add(settled, 0, 1); Atomics.notify(settled, 0) }
  parentPort.on('message', (times) => {
    if (times === 0) return void Promise.all(ends).then((how) => parentPort.postMessage(how))
    for (let one = 0; one < times; one++) {
      const socket = connect(port, '127.0.0.1').once('connect', count)
      ends.push(new Promise((resolve) => {
        socket.on('data', () => resolve('taken')).on('error', ({ code }) => {
          if (socket.pending) count()
          resolve(code)
        })
      }))
    }
  })`

// in a process of its own: one that is just being started by another thread keeps a socket open that is closed here
it('a port that goes over to one socket loses no socketful of connections that come meanwhile, however long that takes', async () => {
  const server = createServer((socket) => void socket.on('error', () => {}).end('taken'))
  const accepting = await accept(server, { host: '127.0.0.1', port: 0, sockets: SOCKETS })
  const settled = new Int32Array(new SharedArrayBuffer(4))
  const client = new Worker(CLIENT, { eval: true, workerData: { port: portOf(server), settled } })
  await once(client, 'online')
  const close = Server.prototype.close
  let wanted = 0
  {
    using _ = vi.spyOn(Server.prototype, 'close').mockImplementation(function (this: Server, ...given) {
      Reflect.apply(close, this, given)
      client.postMessage(SOCKETS)
      wanted += SOCKETS
      // as one that the system lets wait at this very place
      const until = performance.now() + PATIENCE_MS
      for (let now = 0; now < wanted && performance.now() < until; now = Atomics.load(settled, 0))
        Atomics.wait(settled, 0, now, 100)
      return this
    })
    await accepting.join()
  }
  client.postMessage(0)
  const [ends] = await once(client, 'message')
  expect(ends).toHaveLength(SOCKETS * (SOCKETS - 1))
  // the kernel may finish one handshake or another behind the last look; all that came to the sockets that are closed later were lost
  expect(ends.filter((end: string) => end !== 'taken').length).toBeLessThan(SOCKETS)
  await client.terminate()
  await new Promise<void>((resolve) => accepting.stop(resolve))
})
