import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

/** Listens for one that waits to be accepted, and then does nothing any more. */
const LISTENER = `
const { createServer } = require('node:net')
const { parentPort } = require('node:worker_threads')
const server = createServer().listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
  parentPort.postMessage(server.address().port)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
})`
/** Milliseconds in which a connection comes about, if it does. */
const HEARD_MS = 500

/** A port of 127.0.0.1 that answers no attempt to connect, as a machine does that has lost its power. `await using` ends it. */
export interface MutePort extends AsyncDisposable {
  readonly port: number
}

/** Makes one: who waits to be accepted fills the listener's queue, and the system drops what comes then (Linux). */
export async function mutePort(): Promise<MutePort> {
  const worker = new Worker(LISTENER, { eval: true })
  const [port] = await once(worker, 'message')
  const waiting: Socket[] = []
  for (let socket: Socket | undefined; socket === undefined || !socket.connecting; ) {
    socket = connect(port, '127.0.0.1').on('error', () => {})
    waiting.push(socket)
    await once(socket, 'connect', { signal: AbortSignal.timeout(HEARD_MS) }).catch(() => {})
    // where this process stood still, what has come meanwhile is seen in this turn
    await nextTurn()
  }
  return {
    port,
    async [Symbol.asyncDispose]() {
      for (const socket of waiting) socket.destroy()
      await worker.terminate()
    },
  }
}
