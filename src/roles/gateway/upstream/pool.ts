import { type ConnectionOptions, type ConnectionOwner, UpstreamConnection } from './connection.ts'

/** Why no connection could be had. */
export type PoolRefusal =
  | { readonly why: 'connect'; readonly cause: Error }
  | { readonly why: 'overloaded' }
  | { readonly why: 'closed' }

/** Somebody who wants a connection; one of the two is called, once, unless it is cancelled. */
export interface Waiter {
  /** It is his until his request is over. */
  onConnection(connection: UpstreamConnection): void
  /** There is none to be had. */
  onRefused(refusal: PoolRefusal): void
}

/** Bounds of one instance's pool. */
export interface PoolLimits {
  /** Most connections, whatever their state. */
  readonly maxConnections: number
  /** Most idle connections kept. */
  readonly maxIdle: number
  /** Most requests that wait for a connection; more are refused at once. */
  readonly maxWaiting: number
}

/**
 * The connections to one upstream instance. Idle ones are reused last in, first out, so that the others can age and close; a request that
 * finds none waits in a bounded queue for whichever comes first, a freed connection or a new one.
 */
export class InstancePool implements ConnectionOwner {
  readonly authority: string
  readonly #connection: ConnectionOptions
  readonly #limits: PoolLimits
  readonly #all = new Set<UpstreamConnection>()
  readonly #connecting = new Set<UpstreamConnection>()
  readonly #idle: UpstreamConnection[] = []
  readonly #waiting = new Set<Waiter>()
  #closed = false

  /** @param authority the instance's `host:port` as a Host header has it */
  constructor(connection: ConnectionOptions, authority: string, limits: PoolLimits) {
    this.authority = authority
    this.#connection = connection
    this.#limits = limits
  }

  /** Requests under way or waiting: what a balancer compares. */
  get pending(): number {
    return this.#all.size - this.#connecting.size - this.#idle.length + this.#waiting.size
  }

  /** Gives `waiter` a connection, before this returns when one is idle. */
  acquire(waiter: Waiter): void {
    const connection = this.#takeIdle()
    if (connection) waiter.onConnection(connection)
    else if (this.#closed) waiter.onRefused({ why: 'closed' })
    else if (this.#waiting.size >= this.#limits.maxWaiting) waiter.onRefused({ why: 'overloaded' })
    else {
      this.#waiting.add(waiter)
      this.#grow()
    }
  }

  /** Takes `waiter` out of the queue; does nothing when it isn't in it. */
  cancel(waiter: Waiter): void {
    this.#waiting.delete(waiter)
  }

  /** Closes the idle connections that are past their time. @param now monotonic milliseconds */
  sweep(now: number): void {
    for (const connection of this.#idle.filter((idle) => !idle.isFresh(now))) {
      this.#idle.splice(this.#idle.indexOf(connection), 1)
      connection.close()
    }
  }

  /** Takes no more requests, refuses those that wait and closes what is idle; requests under way end in peace. */
  close(): void {
    this.#closed = true
    for (const waiter of this.#waiting) {
      this.#waiting.delete(waiter)
      waiter.onRefused({ why: 'closed' })
    }
    for (const connection of this.#idle.splice(0)) connection.close()
  }

  /** Closes everything, requests under way too. */
  destroy(): void {
    this.close()
    for (const connection of this.#all) connection.close()
  }

  /** Called by a connection that is ready for a request. */
  onIdle(connection: UpstreamConnection): void {
    this.#connecting.delete(connection)
    const waiter = this.#nextWaiter()
    if (waiter) waiter.onConnection(connection)
    else if (this.#closed || this.#idle.length >= this.#limits.maxIdle) connection.close()
    else this.#idle.push(connection)
  }

  /** Called by a connection that is closed. One that never came about fails one waiter; the others go on trying. */
  onClosed(connection: UpstreamConnection, cause: Error | undefined): void {
    this.#all.delete(connection)
    this.#connecting.delete(connection)
    const at = this.#idle.indexOf(connection)
    if (at !== -1) this.#idle.splice(at, 1)
    if (cause) this.#nextWaiter()?.onRefused({ why: 'connect', cause })
    this.#grow()
  }

  #takeIdle(): UpstreamConnection | undefined {
    const now = this.#connection.clock.monotonic()
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) {
      if (idle.isFresh(now)) return idle
      idle.close()
    }
    return undefined
  }

  #nextWaiter(): Waiter | undefined {
    const [waiter] = this.#waiting
    if (waiter) this.#waiting.delete(waiter)
    return waiter
  }

  /** Opens a connection for each waiter that has none on the way, within the limit. */
  #grow(): void {
    while (this.#connecting.size < this.#waiting.size && this.#all.size < this.#limits.maxConnections) {
      const connection = new UpstreamConnection(this.#connection, this)
      this.#all.add(connection)
      this.#connecting.add(connection)
    }
  }
}
