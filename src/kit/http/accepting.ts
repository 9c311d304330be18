import { createServer, type ListenOptions, Server } from 'node:net'
import { setImmediate as immediate } from 'node:timers/promises'
import { HELD_FD, type HeldPort, isSocket } from '../../drivers/system/held-port.ts'
import { portOf } from './port-of.ts'

/**
 * How many sockets listen on a port. The event loop takes one connection of each in a turn (libuv since 1.45), and a turn of a busy role lasts some
 * 10 ms: with one socket the last of 256 clients that come at once would wait for 2 s until anybody looks at him.
 */
export const SOCKETS = 16
/** Connections that wait at each of them to be taken. */
const BACKLOG = 1_024

/** How long a turn lasts in which nothing is done, milliseconds. */
const QUIET_MS = 0.2
/** So many turns are waited for such ones while the sockets of a port are closed. */
const TURNS_TO_CLOSE = 1_000

/** A port on which connections are taken. */
export interface Accepting {
  /**
   * From now on takes connections of the held socket alone, which outlives this process: then none is lost that came to another and wasn't taken when it was closed.
   * Rejects with the system's own error.
   * @param held default: the one that it began with
   */
  join(held?: HeldPort): Promise<void>
  /** Whether its sockets outlive this process from the beginning on, and are somebody else's to close. */
  readonly isHanded: boolean
  /** Where they listen, if they were open before: an address for each that was handed over. */
  readonly handedHosts: readonly string[]
  /** Takes no more; those that came go on. `closed` is called when all of them have ended. */
  stop(closed: () => void): void
}

interface Place {
  readonly host: string
  readonly port: number
}

/** Where connections are taken, and how. */
export interface AcceptingOptions extends Place {
  readonly sockets: number
  /** One of the sockets is there already, in place of stdin (held-port.ts); by a port other than its own it is left. Default false. */
  readonly isHeld?: boolean
}

/**
 * Listens with several sockets, where the system shares a port among sockets of one user (SO_REUSEPORT: Linux, FreeBSD), else with one. All
 * connections come to `server`. With one socket alone nothing is shared. Rejects with the system's own error, `EADDRINUSE` where anybody listens there already.
 */
export async function accept(
  server: Server,
  { sockets, isHeld = false, ...place }: AcceptingOptions,
): Promise<Accepting> {
  const others: Server[] = []
  const beside = () => {
    const other = feeding(server)
    others.push(other)
    return other
  }
  const stop = (closed: () => void) => closeAll(server, [server, ...others], closed)
  async function join(held?: HeldPort) {
    const own = held ? [server, ...others] : [...others]
    if (held) await listening(beside(), held)
    for (const one of own) {
      await quietTurn(server, TURNS_TO_CLOSE / own.length)
      // not as an HTTP server is closed: its connections go on
      Server.prototype.close.call(one)
    }
  }
  const accepting = { stop, join, isHanded: false, handedHosts: [] }
  const found = (isHeld && (await takeHeld(server, place))) || (await openFirst(server, place))
  if (!found) return accepting
  try {
    const more = Array.from({ length: sockets - 1 }, beside)
    await Promise.all(more.map((other) => listening(other, { ...found, reusePort: true })))
  } catch (fault) {
    stop(() => {})
    throw fault
  }
  return accepting
}

/**
 * Takes connections of sockets that listen already, and stay open when this process ends: a service manager's. What comes after `stop` waits in them for the
 * next process. Rejects with the system's own error, `EINVAL` for a socket that doesn't listen; with an Error for what is no socket.
 * @param descriptors one at least
 */
export async function acceptHanded(server: Server, descriptors: readonly number[]): Promise<Accepting> {
  // where fewer were handed over than told, the next is the engine's own, which aborts when that is taken away from it
  const stranger = descriptors.find((fd) => !isSocket(fd))
  if (stranger !== undefined)
    throw new Error(`descriptor ${stranger} is no socket, though LISTEN_FDS=${descriptors.length} says so`)
  const servers = descriptors.map((fd, index) => ({ fd, server: index === 0 ? server : feeding(server) }))
  await Promise.all(servers.map(({ fd, server: one }) => listening(one, { fd })))
  return {
    isHanded: true,
    handedHosts: servers.map(({ server: one }) => placeOf(one, { host: '', port: 0 }).host),
    // they are joined as they are
    join: async () => {},
    stop: (closed) =>
      closeAll(
        server,
        servers.map((one) => one.server),
        closed,
      ),
  }
}

/** Has servers listen no more, and their connections go on. `closed` is called when these have ended. @param server the one that all connections come to */
function closeAll(server: Server, servers: readonly Server[], closed: () => void): void {
  let open = servers.length
  const ended = () => {
    if (--open > 0) return
    // it looks after time limits until then
    server.close()
    closed()
  }
  // node:http's own would end idle connections at once, and with them what is on its way there
  for (const one of servers) Server.prototype.close.call(one, ended)
}

/**
 * Resolves within a turn that found nothing to do, or after so many: a turn takes one connection of each socket and looks once at each connection, and what comes
 * between that look and the turn's end is lost where the socket or the connection is closed then.
 */
export async function quietTurn(server: Server, turns: number): Promise<void> {
  let taken = 0
  const count = () => void taken++
  server.on('connection', count)
  for (let turn = 0; turn < turns; turn++) {
    const [before, began] = [taken, performance.now()]
    await immediate()
    if (taken === before && performance.now() - began < QUIET_MS) break
  }
  server.off('connection', count)
}

/** A server whose connections come to another one. */
function feeding(server: Server): Server {
  return createServer({ allowHalfOpen: true, noDelay: true }, (socket) => void server.emit('connection', socket))
}

/** Listens with the first socket; gives where others may too, if this system shares ports. */
async function openFirst(server: Server, place: Place): Promise<Place | undefined> {
  // by itself first: sharing is for us, not for a second process that was given the same port
  const first = await listening(createServer(), { ...place, exclusive: true }).catch((fault: unknown) => {
    if (place.host !== '::' || !isWithoutIPv6(fault)) throw fault
    return listening(createServer(), { ...place, host: '0.0.0.0', exclusive: true })
  })
  const found = placeOf(first, place)
  first.close()
  try {
    await listening(server, { ...found, reusePort: true })
  } catch (fault) {
    if (!isUnknown(fault)) throw fault
    await listening(server, found)
    return undefined
  }
  return found
}

/** Listens on the port that is held for this process; gives where that is, or undefined, and it is closed, when it is not the port that is wanted. */
async function takeHeld(server: Server, place: Place): Promise<Place | undefined> {
  await listening(server, { fd: HELD_FD })
  const found = placeOf(server, place)
  if (place.port === 0 || place.port === found.port) return found
  await new Promise((resolve) => server.close(resolve))
  return undefined
}

function placeOf(server: Server, { host }: Place): Place {
  const address = server.address()
  return { host: typeof address === 'object' && address ? address.address : host, port: portOf(server) }
}

function listening(server: Server, on: ListenOptions | { readonly fd: number } | HeldPort): Promise<Server> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    const listens = () => {
      server.off('error', reject)
      resolve(server)
    }
    if ('listen' in on) server.listen(on, BACKLOG, listens)
    else server.listen({ ...on, backlog: BACKLOG }, listens)
  })
}

/** A kernel that was started with `ipv6.disable=1` has IPv4 alone. */
function isWithoutIPv6(fault: unknown): boolean {
  return fault instanceof Error && 'code' in fault && fault.code === 'EAFNOSUPPORT'
}

function isUnknown(fault: unknown): boolean {
  return fault instanceof Error && 'code' in fault && (fault.code === 'ENOTSUP' || fault.code === 'EINVAL')
}
