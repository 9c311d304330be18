import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** A TCP relay to a server of this machine, which looks at what its clients say. `await using` ends it. */
export interface TappedWire extends AsyncDisposable {
  readonly port: number
  /** Asked with what a client says, before it is passed on: `pass`, `drop` it and both connections, or pass it on and drop the answer with them. */
  onSaid: (said: Buffer) => 'pass' | 'drop' | 'drop-answer'
}

/** Lays a wire to a port. Nobody has to listen there yet. */
export async function tapWire(port: number): Promise<TappedWire> {
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    let answers = true
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        near.destroy()
        far.destroy()
      })
    }
    near.on('data', (said: Buffer) => {
      const fate = wire.onSaid(said)
      if (fate === 'drop') near.destroy()
      else far.write(said)
      if (fate === 'drop-answer') answers = false
    })
    far.on('data', (answer: Buffer) => {
      if (answers) near.write(answer)
      else near.destroy()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const wire: TappedWire = {
    port: address.port,
    onSaid: () => 'pass',
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
  return wire
}
