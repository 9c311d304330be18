import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { portOf } from '../../http/port-of.ts'

/** A port of 127.0.0.1 that nobody listens on. `await using` ends it. */
export interface RefusingPort extends AsyncDisposable {
  readonly port: number
}

/** Makes one: it is this side's of a connection, so that nobody else is given it, as one might be that is merely free. */
export async function refusingPort(): Promise<RefusingPort> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect(portOf(server), '127.0.0.1')
  const [[other]] = await Promise.all([once(server, 'connection'), once(socket, 'connect')])
  return {
    port: socket.localPort ?? 0,
    async [Symbol.asyncDispose]() {
      socket.destroy()
      other.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
