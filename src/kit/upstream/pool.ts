import { authorityOf } from '../discovery/endpoint.ts'
import { type ConnectionOptions, type ConnectionOwner, UpstreamConnection } from './connection.ts'
import { IdleLife } from './idle-life.ts'
import { type ShareLimits, type Sharer, Shares } from './shares.ts'

/** Why no connection could be had. */
export type PoolRefusal =
  | { readonly why: 'connect'; readonly cause: Error }
  /** Too many wait, or its uploads have used up their share. */
  | { readonly why: 'overloaded' }
  /** The caller has used up his share. */
  | { readonly why: 'share' }
  | { readonly why: 'closed' }

/** Somebody who wants a connection; one of the two is called, once, unless it is cancelled. */
export interface Waiter extends Sharer {
  /** It must not be sent twice, so it takes no connection that may be closing this very moment. */
  readonly once: boolean
  /** It is his until he releases it: as soon as his request is over. */
  onConnection(connection: UpstreamConnection): void
  /** There is none to be had. */
  onRefused(refusal: PoolRefusal): void
}

/** Bounds of one instance's pool. */
export interface PoolLimits extends ShareLimits {
  /** Most connections, whatever their state. */
  readonly maxConnections: number
  /** Most requests that wait for a connection, and as many that wait for their share; more are refused at once. */
  readonly maxWaiting: number
  /** The most that may wait when a streamed upload wants to wait for its share: each has some 64 KB of its body here already. */
  readonly maxWaitingUploads: number
}

/**
 * The connections to one upstream instance. Idle ones are reused last in, first out, so that the others can age and close; a request that
 * finds none waits in a bounded queue for whichever comes first, a freed connection or a new one. One that is over its share (see Shares)
 * waits apart until it isn't, so that neither slow uploads nor one caller can take everything.
 */
export class InstancePool implements ConnectionOwner {
  /** The instance's host and port as a Host header has them. */
  readonly authority: string
  /** What stands before every path of the instance; empty at the root. */
  readonly basePath: string
  readonly #connection: ConnectionOptions
  readonly #limits: PoolLimits
  readonly #all = new Set<UpstreamConnection>()
  readonly #connecting = new Set<UpstreamConnection>()
  #idle: UpstreamConnection[] = []
  readonly #waiting = new Set<Waiter>()
  /** Over their share; not counted in `#shares`. */
  readonly #deferred = new Set<Waiter>()
  readonly #shares: Shares
  readonly #life = new IdleLife()
  #watchesOldest = false
  #closed = false

  constructor(connection: ConnectionOptions, limits: PoolLimits) {
    this.authority = authorityOf(connection.endpoint)
    this.basePath = connection.endpoint.basePath
    this.#connection = connection
    this.#limits = limits
    this.#shares = new Shares(limits.maxConnections, limits)
  }

  /** Requests under way or waiting: what a balancer compares. */
  get pending(): number {
    return this.#all.size - this.#connecting.size - this.#idle.length + this.#waiting.size + this.#deferred.size
  }

  /** True when who waits may be waiting for others to finish, not for the instance to be reached. */
  get crowded(): boolean {
    return this.#deferred.size > 0 || this.#isFull
  }

  /** Gives `waiter` a connection, before this returns when one is idle. */
  acquire(waiter: Waiter): void {
    if (this.#closed) {
      waiter.onRefused({ why: 'closed' })
      return
    }
    const shortage = this.#shares.enter(waiter)
    if (shortage) {
      const { maxWaiting, maxWaitingUploads } = this.#limits
      if (this.#deferred.size >= (waiter.upload ? maxWaitingUploads : maxWaiting)) waiter.onRefused({ why: shortage })
      else this.#deferred.add(waiter)
      return
    }
    const connection = this.#takeIdle(waiter.once)
    if (connection) waiter.onConnection(connection)
    else if (this.#waiting.size >= this.#limits.maxWaiting) this.#refuse(waiter, { why: 'overloaded' })
    else {
      this.#waiting.add(waiter)
      if (this.#isFull) this.#dropIdle()
      this.#grow()
    }
  }

  /** Takes `waiter` out of the queue; does nothing when it isn't in it. */
  cancel(waiter: Waiter): void {
    if (this.#deferred.delete(waiter) || !this.#waiting.delete(waiter)) return
    this.#shares.leave(waiter)
    this.#promote()
  }

  /** Gives the share of a connection back. To be called once by who got it, before it turns idle or is closed. */
  release(waiter: Waiter): void {
    this.#shares.leave(waiter)
  }

  /** Closes the idle connections that are past their time. @param now monotonic milliseconds */
  sweep(now: number): void {
    const over = this.#idle.filter((connection) => !connection.isFresh(now))
    if (over.length === 0) return
    this.#idle = this.#idle.filter((connection) => connection.isFresh(now))
    for (const connection of over) connection.close()
  }

  /** Takes no more requests, refuses those that wait and closes what is idle; requests under way end in peace. */
  close(): void {
    this.#closed = true
    for (const waiter of this.#waiting) {
      this.#waiting.delete(waiter)
      this.#refuse(waiter, { why: 'closed' })
    }
    for (const waiter of this.#deferred) {
      this.#deferred.delete(waiter)
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
    this.#promote()
    const waiter = this.#nextWaiter(connection)
    if (waiter) waiter.onConnection(connection)
    else if (this.#closed || this.#isInTheWay) connection.close()
    else this.#idle.push(connection)
    this.#grow()
  }

  /** Called by a connection that is closed. One that never came about fails one waiter; the others go on trying. */
  onClosed(connection: UpstreamConnection, cause: Error | undefined): void {
    this.#all.delete(connection)
    this.#connecting.delete(connection)
    const at = this.#idle.indexOf(connection)
    if (at !== -1) this.#idle.splice(at, 1)
    const { diedIdleMs } = connection
    if (cause) this.#life.forget()
    else if (diedIdleMs !== undefined) this.#life.closedAfter(diedIdleMs, this.#connection.clock.monotonic())
    const failed = cause && this.#nextWaiter()
    if (failed) this.#refuse(failed, { why: 'connect', cause })
    this.#promote()
    this.#grow()
  }

  /** Closes one of those that have been idle long, but the oldest last: its age is what shows that the others are open. */
  #dropIdle(): void {
    const [dropped] = this.#idle.splice(this.#idle.length > 1 ? 1 : 0, 1)
    dropped?.close()
  }

  /** The one used last. @param once true for one that surely isn't being closed, else none: the others may age on. */
  #takeIdle(once: boolean): UpstreamConnection | undefined {
    const now = this.#connection.clock.monotonic()
    for (let last = this.#idle.at(-1); last; last = this.#idle.at(-1)) {
      const isFresh = last.isFresh(now)
      if (once && isFresh && !this.#life.outlasts(last.idleMs(now), now)) {
        this.#watchOldest(now)
        return undefined
      }
      this.#idle.pop()
      if (isFresh) return last
      last.close()
    }
    return undefined
  }

  /** Learns from the connection that has been idle longest, once the loop has come to a closing that may have arrived by now. */
  #watchOldest(now: number): void {
    const [oldest] = this.#idle
    if (!oldest || this.#watchesOldest) return
    this.#watchesOldest = true
    const idleMs = oldest.idleMs(now)
    setImmediate(() => {
      this.#watchesOldest = false
      if (this.#idle[0] === oldest) this.#life.keptFor(idleMs)
    })
  }

  /** Whether those who wait need the place of a connection that none of them may take. */
  get #isInTheWay(): boolean {
    return this.#waiting.size > 0 && this.#isFull
  }

  get #isFull(): boolean {
    return this.#all.size >= this.#limits.maxConnections
  }

  /** The first who waits, of those who may have `connection` when it is given. */
  #nextWaiter(connection?: UpstreamConnection): Waiter | undefined {
    for (const waiter of this.#waiting) {
      if (connection && waiter.once && !this.#isLiving(connection)) continue
      this.#waiting.delete(waiter)
      return waiter
    }
    return undefined
  }

  /** Whether one that has just become ready surely isn't being closed. */
  #isLiving(connection: UpstreamConnection): boolean {
    if (connection.unused) return true
    const now = this.#connection.clock.monotonic()
    // where all are in use none becomes old enough to prove anything, and a new one for each request would cost more than it saves
    return this.#life.outlasts(0, now) || (this.#isFull && !this.#life.closesAtOnce(now))
  }

  #refuse(waiter: Waiter, refusal: PoolRefusal): void {
    this.#shares.leave(waiter)
    waiter.onRefused(refusal)
  }

  /** Lets those wait for a connection who are no longer over their share, first come, first served. */
  #promote(): void {
    for (const waiter of this.#deferred) {
      if (this.#shares.enter(waiter)) continue
      this.#deferred.delete(waiter)
      this.#waiting.add(waiter)
    }
  }

  /** Opens a connection for each waiter that has none on the way, within the limit. */
  #grow(): void {
    while (this.#connecting.size < this.#waiting.size && !this.#isFull) {
      const connection = new UpstreamConnection(this.#connection, this)
      this.#all.add(connection)
      this.#connecting.add(connection)
    }
  }
}
