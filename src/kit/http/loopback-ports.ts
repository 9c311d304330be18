import { AppError, messageOf } from '../errors.ts'
import type { Exchange } from './exchange.ts'
import { type Listener, type ListenerOptions, listen } from './listener.ts'

/** A port on which a role answers besides its own, for programs of this machine alone. */
export interface LoopbackPort {
  /** What it is for, as in messages; no two of a role have the same. */
  readonly name: string
  /** 0 takes a free one. */
  readonly port: number
  /** How another port is chosen, for who is told that this one is taken. */
  readonly elsewhere: string
  /** Answers every request that comes there. */
  readonly handle: (exchange: Exchange) => void
}

/** What all loopback ports of a role share. */
export type LoopbackPortsOptions = Pick<ListenerOptions, 'limits' | 'layers' | 'door' | 'clock'> & {
  /** How long requests under way may take when their port closes, milliseconds. */
  readonly drainMs: number
}

interface OpenPort {
  wanted: LoopbackPort
  readonly listener: Listener
}

/** A role's loopback ports. Which ones there are is a value; `set` makes it so. */
export class LoopbackPorts {
  readonly #options: LoopbackPortsOptions
  readonly #open = new Map<string, OpenPort>()

  constructor(options: LoopbackPortsOptions) {
    this.#options = options
  }

  /** Those that are open, each where it listens. */
  get open(): readonly { readonly name: string; readonly port: number }[] {
    return [...this.#open].map(([name, { listener }]) => ({ name, port: listener.port }))
  }

  /**
   * Opens and closes what differs. One that stays where it is answers by its new `handle` from the next request on. Resolves once those that closed have no
   * requests left. Rejects with AppError `START_FAILED`, which names the port that is taken; those before it are open then.
   */
  async set(wanted: readonly LoopbackPort[]): Promise<void> {
    const places = new Map(wanted.map(({ name, port }) => [name, port]))
    const closing = [...this.#open].filter(([name, { wanted: was }]) => places.get(name) !== was.port)
    for (const [name] of closing) this.#open.delete(name)
    const closed = Promise.all(closing.map(([, { listener }]) => listener.drain(this.#options.drainMs)))
    try {
      for (const one of wanted) {
        const open = this.#open.get(one.name)
        if (open) open.wanted = one
        else await this.#listen(one)
      }
    } finally {
      await closed
    }
  }

  /** Closes all of them as their requests end. */
  close(): Promise<void> {
    return this.set([])
  }

  async #listen(wanted: LoopbackPort): Promise<void> {
    const { limits, layers, door, clock } = this.#options
    const open: { wanted: LoopbackPort } = { wanted }
    try {
      const listener = await listen({
        host: HOST,
        port: wanted.port,
        elsewhere: wanted.elsewhere,
        // one client each, which keeps its connections
        sockets: 1,
        // whoever can connect has the machine anyway: how long a body takes is for its sender to say
        limits: { ...limits, request_timeout_ms: 0 },
        layers,
        handle(exchange) {
          open.wanted.handle(exchange)
          return true
        },
        clock,
        ...(door && { door }),
      })
      this.#open.set(wanted.name, Object.assign(open, { listener }))
    } catch (cause) {
      throw new AppError('START_FAILED', `${wanted.name}: ${messageOf(cause)}`, { cause })
    }
  }
}

/** Nobody else's, whatever the role's own host is. */
const HOST = '127.0.0.1'
