import { closeSync, fstatSync } from 'node:fs'
import net, { type Server } from 'node:net'

/** A bound socket that takes nothing itself: whoever it is sent to may listen on it. */
export type HeldPort = Server

/** The file descriptor of a held port: what begins with this process's next program keeps its first three files alone. */
export const HELD_FD = 0
/** `UV_TCP_REUSEPORT` of libuv: others of this user may listen there too, now and later. */
const SHARED = 2

/** Whether something is a socket that may be listened on. */
export function isHeldPort(given: unknown): given is HeldPort {
  return typeof given === 'object' && given !== null && 'listen' in given
}

/** Whether this process began with a held port in place of its stdin. */
export function isPortHeld(): boolean {
  return isSocket(HELD_FD)
}

/** Whether a descriptor of this process is open, and of a socket. */
export function isSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket()
  } catch {
    return false
  }
}

/**
 * Binds a port that others of this user listen on already (SO_REUSEPORT), in place of this process's stdin, so that it outlives `execve`. Who is given
 * it and ends leaves it open: connections wait in the kernel until the next one takes them.
 * @param host an IP address
 * @throws an Error where this system or this Node can't do that; stdin is lost all the same
 */
export function holdPort(host: string, port: number): HeldPort {
  // node:cluster binds by it what it lends to its workers; by the documented ways a server takes connections as soon as it listens
  const bind: unknown = Reflect.get(net, '_createServerHandle')
  if (typeof bind !== 'function') throw new Error('this Node has no sockets that are bound alone')
  closeSync(HELD_FD)
  const handle = bind(host, port, net.isIPv6(host) ? 6 : 4, undefined, SHARED)
  if (typeof handle === 'number') throw new Error(`${host}:${port} can't be bound a second time (${handle})`)
  if (handle.fd !== HELD_FD) {
    handle.close()
    throw new Error('something else took the place of stdin')
  }
  return handle
}
