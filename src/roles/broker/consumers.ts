import type { Socket } from 'node:net'
import type { Context } from 'hono'
import type { BusConsumer } from '../../drivers/bus/consumer.ts'
import type { Clock } from '../../drivers/clock.ts'
import type { AppEnv } from '../../kit/http/app-env.ts'
import { connectionOf } from '../../kit/http/connection.ts'
import type { Log } from '../../kit/telemetry/log.ts'

/** How long a consumer whose connection is gone has to be heard of again, in milliseconds. */
const GONE_MS = 1_000

/** A connection that is open for so long after an answer, in milliseconds, was kept: who opens one for each call closes it at once. */
const KEPT_MS = 200

/** Most consumers that are told to be gone by one connection; what another one had comes again when its leases end. */
const PER_CONNECTION = 64

/** What tells which consumers are gone, and gives what they had on lease to others. */
export interface ConsumersOptions {
  readonly bus: Pick<BusConsumer, 'release'>
  readonly log: Log
  readonly clock: Pick<Clock, 'monotonic'>
}

/** One consumer of a subscription. */
interface Named {
  readonly subscription: string
  readonly consumer: string
}

/** One consumer, and the connections that it was heard of by. */
interface Known extends Named {
  readonly sockets: Set<Socket>
  /** Whether one that closed was kept: who opens a connection for each call, as curl does, isn't gone when it closes. */
  wasKept: boolean
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
  /** When each had its last answer to one of them. */
  readonly #answeredAt = new WeakMap<Socket, number>()

  constructor(options: ConsumersOptions) {
    this.#options = options
  }

  /** A request of a consumer came. Does nothing for one without a name. */
  heardOf(c: Context<AppEnv>, subscription: string, consumer: string | undefined): void {
    const { incoming, outgoing } = c.env?.exchange ?? {}
    if (consumer === undefined || !incoming || !outgoing) return
    const { socket } = incoming
    outgoing.once('close', () => this.#answeredAt.set(socket, this.#options.clock.monotonic()))
    const key = keyOf({ subscription, consumer })
    const fresh = { subscription, consumer, sockets: new Set<Socket>(), wasKept: false, timer: undefined }
    const known = this.#known.get(key) ?? fresh
    clearTimeout(known.timer)
    known.timer = undefined
    if (known.sockets.has(socket)) return
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
      const wasKept = this.#wasKept(socket)
      for (const known of made) {
        known.wasKept ||= wasKept
        this.#missing(known, socket)
      }
    })
    return made
  }

  /** Whether a connection that closed served for more than one call. */
  #wasKept(socket: Socket): boolean {
    if ((connectionOf(socket)?.requests ?? 0) > 1) return true
    const answeredAt = this.#answeredAt.get(socket)
    return answeredAt !== undefined && this.#options.clock.monotonic() - answeredAt >= KEPT_MS
  }

  #missing(known: Known, socket: Socket): void {
    const { clock } = this.#options
    const key = keyOf(known)
    known.sockets.delete(socket)
    if (known.sockets.size > 0 || this.#known.get(key) !== known) return
    if (!known.wasKept) {
      this.#known.delete(key)
      return
    }
    const goneAt = clock.monotonic() + GONE_MS
    const look = () => {
      const left = goneAt - clock.monotonic()
      if (left > 0) {
        known.timer = setTimeout(look, Math.ceil(left))
        return
      }
      this.#known.delete(key)
      void this.#release(known)
    }
    look()
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
