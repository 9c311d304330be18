import type { Socket } from 'node:net'

/** As much as libuv reads at once. */
const READ_BYTES = 65_536
let shared: Buffer | undefined

/**
 * Has a socket read into one buffer that all such sockets share, and hand out what came in it: it is overwritten by the next read, so `take` keeps
 * nothing of it. Otherwise node allocates 64 KB for every read. Clients' sockets have that as the option `onread`; a server's get it here, the way
 * node does it for those, and nothing happens where this node does it otherwise: what comes is then emitted as `data` as ever.
 * @param take called with each read, instead of the event `data`
 */
export function shareReads(socket: Socket, take: (bytes: Buffer) => void): void {
  const handle: unknown = Reflect.get(socket, '_handle')
  const [buffer, callback] = ['kBuffer', 'kBufferCb'].map((name) =>
    Object.getOwnPropertySymbols(socket).find(({ description }) => description === name),
  )
  if (!(handle instanceof Object) || !buffer || !callback) return
  const use: unknown = Reflect.get(handle, 'useUserBuffer')
  if (typeof use !== 'function') return
  shared ??= Buffer.allocUnsafeSlow(READ_BYTES)
  const bytes = shared
  Reflect.apply(use, handle, [bytes])
  Reflect.set(socket, buffer, bytes)
  Reflect.set(socket, callback, (count: number) => take(bytes.subarray(0, count)))
}
