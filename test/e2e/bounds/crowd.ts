import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** Connections come in handfuls, 500 a second: what they hold is the attack, not how fast a role answers so many. */
const AT_ONCE = 10
const EVERY_MS = 20

/** An attacker's connections to one port. What becomes of them is the role's business: resets and refusals are no errors here. */
export class Crowd implements Disposable {
  readonly #port: number
  readonly #sockets = new Set<Socket>()

  constructor(port: number) {
    this.#port = port
  }

  /** Opens a connection whose answers are read, and thrown away. Resolves when it is open, or refused. */
  async join(): Promise<Socket> {
    const socket = connect(this.#port, '127.0.0.1')
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => this.#sockets.delete(socket))
    socket.resume()
    await new Promise<void>((resolve) => {
      socket.once('connect', resolve)
      socket.once('close', () => resolve())
    })
    return socket
  }

  /** Opens many connections and says the same on each; their answers are read unless `deaf`. */
  async joinMany(count: number, bytes: string | Buffer, { deaf = false } = {}): Promise<void> {
    for (let left = count; left > 0; left -= AT_ONCE) {
      const joining = Array.from({ length: Math.min(left, AT_ONCE) }, async () => {
        const socket = await this.join()
        if (deaf) socket.pause()
        socket.write(bytes)
      })
      await Promise.all(joining)
      await delay(EVERY_MS)
    }
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }
}
