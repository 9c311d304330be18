import type { RequestHandler, UpstreamConnection } from '../connection.ts'
import type { InstancePool, PoolRefusal, Waiter } from '../pool.ts'

/** Releases each connection's share. */
const holders = new WeakMap<UpstreamConnection, () => void>()

/** What somebody gets who asks for a connection. */
export type Got = UpstreamConnection | PoolRefusal

/** Asks for a connection; resolves with it or why there is none. */
export function take(
  pool: InstancePool,
  { caller = 1, upload = false, once = false } = {},
): Promise<Got> & { waiter: Waiter } {
  let waiter: Waiter | undefined
  const got = new Promise<Got>((resolve) => {
    const taker: Waiter = {
      caller,
      upload,
      once,
      onConnection(connection) {
        holders.set(connection, () => pool.release(taker))
        resolve(connection)
      },
      onRefused: resolve,
    }
    waiter = taker
  })
  if (!waiter) throw new Error('unreachable')
  pool.acquire(waiter)
  return Object.assign(got, { waiter })
}

/** The same, for who expects a connection. */
export async function connected(pool: InstancePool, { once = false } = {}): Promise<UpstreamConnection> {
  const got = await take(pool, { once })
  if ('why' in got) throw new Error(`refused: ${got.why}`)
  return got
}

/** Sends a GET; resolves with the body, or rejects with why the connection was lost. */
export function ask(connection: UpstreamConnection): Promise<string> {
  return new Promise((resolve, reject) => {
    const handler: RequestHandler = {
      onWhole(_, body) {
        holders.get(connection)?.()
        resolve(body)
      },
      onHead: () => {},
      onBody: () => {},
      onEnd: () => resolve(''),
      onDrain: () => {},
      onLost: reject,
    }
    connection.send('GET', 'GET / HTTP/1.1\r\nhost: a\r\n\r\n', undefined, true, handler)
  })
}
