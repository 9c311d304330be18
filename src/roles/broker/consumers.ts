import type { Socket } from 'node:net'
import type { Context } from 'hono'
import type { Bus } from '../../drivers/bus/contract.ts'
import type { AppEnv } from '../../kit/http/app-env.ts'
import type { Log } from '../../kit/telemetry/log.ts'

/** How long a consumer whose connection is gone has to be heard of again, in milliseconds. */
const GONE_MS = 1_000

/** Most consumers that are told to be gone by one connection; what another one had comes again when its leases end. */
const PER_CONNECTION = 64

/** What tells which consumers are gone, and gives what they had on lease to others. */
export interface ConsumersOptions {
  readonly bus: Pick<Bus, 'release'>
  readonly log: Log
  /** Default 1 s. */
  readonly goneMs?: number
}

/** One consumer of a subscription. */
interface Named {
  readonly subscription: string
  readonly consumer: string
}

/** One consumer, and the connections that it was heard of by. */
interface Known extends Named {
  readonly sockets: Set<Socket>
  /** Whether it was heard of twice by one of them: who opens a connection for each call, as curl does, isn't gone when it closes. */
  isKept: boolean
  timer: NodeJS.Timeout | undefined
}

/**
 * Consumers that gave a name, as far as they are connected. One whose last connection closes is gone, as a killed process is, unless it is heard of by
 * another within a second: then its messages needn't wait for their leases to end. That holds for who keeps a connection; of others only their leases tell.
 */
export class Consumers {
  readonly #options: ConsumersOptions
  readonly #known = new Map<string, Known>()
  /** Those that were heard of by each connection. */
  readonly #bySocket = new WeakMap<Socket, Set<Known>>()

  constructor(options: ConsumersOptions) {
    this.#options = options
  }

  /** A request of a consumer came. Does nothing for one without a name. */
  heardOf(c: Context<AppEnv>, subscription: string, consumer: string | undefined): void {
    const socket = c.env?.exchange?.incoming.socket
    if (consumer === undefined || !socket) return
    const key = keyOf({ subscription, consumer })
    const fresh = { subscription, consumer, sockets: new Set<Socket>(), isKept: false, timer: undefined }
    const known = this.#known.get(key) ?? fresh
    clearTimeout(known.timer)
    known.timer = undefined
    if (known.sockets.has(socket)) {
      known.isKept = true
      return
    }
    known.sockets.add(socket)
    this.#known.set(key, known)
    const watched = this.#watched(socket)
    const [first] = watched
    if (first && watched.size >= PER_CONNECTION) {
      watched.delete(first)
      first.sockets.delete(socket)
      if (first.sockets.size === 0) this.#known.delete(keyOf(first))
    }
    watched.add(known)
  }

  /** A process of this name has begun: one that had it before is gone, whether its connection says so or not. */
  async began(subscription: string, consumer: string): Promise<void> {
    await this.#release({ subscription, consumer })
  }

  /** Forgets them all, and releases nothing more. */
  close(): void {
    for (const { timer } of this.#known.values()) clearTimeout(timer)
    this.#known.clear()
  }

  #watched(socket: Socket): Set<Known> {
    const watched = this.#bySocket.get(socket)
    if (watched) return watched
    const made = new Set<Known>()
    this.#bySocket.set(socket, made)
    socket.once('close', () => {
      for (const known of made) this.#missing(known, socket)
    })
    return made
  }

  #missing(known: Known, socket: Socket): void {
    const { goneMs = GONE_MS } = this.#options
    const key = keyOf(known)
    known.sockets.delete(socket)
    if (known.sockets.size > 0 || this.#known.get(key) !== known) return
    if (!known.isKept) {
      this.#known.delete(key)
      return
    }
    known.timer = setTimeout(() => {
      this.#known.delete(key)
      void this.#release(known)
    }, goneMs)
  }

  async #release({ subscription, consumer }: Named): Promise<void> {
    const { bus, log } = this.#options
    try {
      const count = await bus.release(subscription, consumer)
      if (count > 0) log.info(`The consumer ${consumer} is gone: ${count} messages go to others`, { subscription })
    } catch (fault) {
      log.debug(`What ${consumer} had is not given back, its leases end by themselves: ${fault}`, { subscription })
    }
  }
}

function keyOf({ subscription, consumer }: Named): string {
  return JSON.stringify([subscription, consumer])
}
