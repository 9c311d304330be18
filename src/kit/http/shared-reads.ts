import type { Socket } from 'node:net'

/** As much as libuv reads at once. */
const READ_BYTES = 65_536

/** Under which of its properties a socket has the buffer that it is read into, and who is told of each read. */
interface Place {
  readonly buffer: symbol
  readonly callback: symbol
}

let shared: Buffer | undefined
let place: Place | undefined

/**
 * Has a socket read into one buffer that all such sockets share, and hand out what came in it: it is overwritten by the next read, so `take` keeps
 * nothing of it. Otherwise node allocates 64 KB for every read. Clients' sockets have that as the option `onread`; a server's get it here, the way
 * node does it for those, and nothing happens where this node does it otherwise: what comes is then emitted as `data` as ever.
 * @param take called with each read, instead of the event `data`
 */
export function shareReads(socket: Socket, take: (bytes: Buffer) => void): void {
  const handle: unknown = Reflect.get(socket, '_handle')
  const use: unknown = handle instanceof Object ? Reflect.get(handle, 'useUserBuffer') : undefined
  place ??= placeOf(socket)
  if (typeof use !== 'function' || !place) return
  shared ??= Buffer.allocUnsafeSlow(READ_BYTES)
  const bytes = shared
  Reflect.apply(use, handle, [bytes])
  Reflect.set(socket, place.buffer, bytes)
  Reflect.set(socket, place.callback, (count: number) => take(bytes.subarray(0, count)))
}

function placeOf(socket: Socket): Place | undefined {
  const symbols = Object.getOwnPropertySymbols(socket)
  const named = (name: string) => symbols.find(({ description }) => description === name)
  const [buffer, callback] = [named('kBuffer'), named('kBufferCb')]
  return buffer && callback && { buffer, callback }
}
