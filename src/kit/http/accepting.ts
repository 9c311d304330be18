import { createServer, type ListenOptions, Server } from 'node:net'
import { portOf } from './port-of.ts'

/**
 * How many sockets listen on a port. The event loop takes one connection of each in a turn (libuv since 1.45), and a turn of a busy role lasts some
 * 10 ms: with one socket the last of 256 clients that come at once would wait for 2 s until anybody looks at him.
 */
export const SOCKETS = 16
/** Connections that wait at each of them to be taken. */
const BACKLOG = 1_024

/** For how long whoever keeps a connection alive may still ask on it once a handed socket is left to the next process, milliseconds: its answer says so. */
const GRACE_MS = 300

/** A port on which connections are taken. */
export interface Accepting {
  /** How long idle connections are left open after `stop`, milliseconds: what is asked on them meanwhile is answered. */
  readonly graceMs: number
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
    return { graceMs: 0, stop: (closed) => void server.close(closed) }
  }
  const others = Array.from({ length: sockets - 1 }, () => feeding(server))
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
  return { graceMs: 0, stop }
}

/**
 * Takes connections of sockets that listen already, and stay open when this process ends: a service manager's. What comes after `stop` waits in them for the
 * next process. Rejects with the system's own error, `EINVAL` for a descriptor that is none of a listening socket.
 * @param descriptors one at least
 */
export async function acceptHanded(server: Server, descriptors: readonly number[]): Promise<Accepting> {
  const servers = descriptors.map((fd, index) => ({ fd, server: index === 0 ? server : feeding(server) }))
  await Promise.all(servers.map(({ fd, server: one }) => listening(one, { fd })))
  return {
    graceMs: GRACE_MS,
    stop(closed) {
      let open = servers.length
      const ended = () => {
        if (--open > 0) return
        // it looks after time limits until then
        server.close()
        closed()
      }
      // node:http's own would end idle connections at once, and with them what is on its way there
      for (const { server: one } of servers) Server.prototype.close.call(one, ended)
    },
  }
}

/** A server whose connections come to another one. */
function feeding(server: Server): Server {
  return createServer({ allowHalfOpen: true, noDelay: true }, (socket) => void server.emit('connection', socket))
}

function listening(server: Server, options: ListenOptions | { readonly fd: number }): Promise<Server> {
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
