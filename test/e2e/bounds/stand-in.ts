import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** Bytes of the answer to `GET /pieces`. */
export const PIECES = 2 * 1024 * 1024

/** A service behind the gateway, in a thread of its own. `GET /pieces` is answered in pieces of a byte, anything else once its body is in. */
export interface StandIn extends AsyncDisposable {
  readonly url: string
}

/** Starts it on a free port. */
export async function standIn(): Promise<StandIn> {
  const thread = new Worker(new URL('stand-in-thread.ts', import.meta.url))
  const [port] = await once(thread, 'message')
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      await thread.terminate()
    },
  }
}
