import { createServer, type ListenOptions, type Server } from 'node:net'
import { portOf } from './port-of.ts'

/**
 * How many sockets listen on a port. The event loop takes one connection of each in a turn (libuv since 1.45), and a turn of a busy role lasts some
 * 10 ms: with one socket the last of 256 clients that come at once would wait for 2 s until anybody looks at him.
 */
export const SOCKETS = 16
/** Connections that wait at each of them to be taken. */
const BACKLOG = 1_024

/** A port on which connections are taken. */
export interface Accepting {
  /** Takes no more. `closed` is called when all connections that came this way have ended. */
  stop(closed: () => void): void
}

/**
 * Listens with several sockets, where the system shares a port among sockets of one user (SO_REUSEPORT: Linux, FreeBSD), else with one. All
 * connections come to `server`. With one socket alone nothing is shared. Rejects with the system's own error, `EADDRINUSE` where anybody listens there already.
 */
export async function accept(
  server: Server,
  { sockets, ...place }: { readonly host: string; readonly port: number; readonly sockets: number },
): Promise<Accepting> {
  // by itself first: sharing is for us, not for a second process that was given the same port
  const first = await listening(createServer(), { ...place, exclusive: true })
  const address = first.address()
  const found = { host: typeof address === 'object' && address ? address.address : place.host, port: portOf(first) }
  first.close()
  try {
    await listening(server, { ...found, reusePort: true })
  } catch (fault) {
    if (!isUnknown(fault)) throw fault
    await listening(server, found)
    return { stop: (closed) => void server.close(closed) }
  }
  const others = Array.from({ length: sockets - 1 }, () =>
    createServer({ allowHalfOpen: true, noDelay: true }, (socket) => void server.emit('connection', socket)),
  )
  function stop(closed: () => void) {
    let open = 1 + others.length
    const ended = () => {
      if (--open === 0) closed()
    }
    for (const one of [server, ...others]) one.close(ended)
  }
  try {
    await Promise.all(others.map((other) => listening(other, { ...found, reusePort: true })))
  } catch (fault) {
    stop(() => {})
    throw fault
  }
  return { stop }
}

function listening(server: Server, options: ListenOptions): Promise<Server> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ ...options, backlog: BACKLOG }, () => {
      server.off('error', reject)
      resolve(server)
    })
  })
}

function isUnknown(fault: unknown): boolean {
  return fault instanceof Error && 'code' in fault && (fault.code === 'ENOTSUP' || fault.code === 'EINVAL')
}
