import { DriverError } from '../../driver-error.ts'
import { meaningOf } from './errors.ts'
import { endQuietly, type Session } from './sessions.ts'

/** Those who may wait for a connection at the same time; the next one is refused. */
const MOST_WAITING = 4_096
/** Milliseconds to wait for one. */
const WAIT_MS = 5_000
/** Milliseconds that a connection is kept without being used: it costs the server some MB. */
const IDLE_MS = 30_000

/** What a pool works with. */
export interface PoolOptions {
  /** For messages. */
  readonly store: string
  /** Opens one more connection. */
  readonly open: () => Promise<Session>
  /** Connections at the same time. */
  readonly most: number
}

interface Waiting {
  readonly resolve: () => void
  readonly reject: (fault: DriverError) => void
  readonly timer: NodeJS.Timeout
}

interface Idle {
  readonly session: Session
  /** Ends what waits for it to be of no use any more. */
  readonly wake: () => void
}

/**
 * Connections that are lent to one task after the other. node-postgres' own pool has no bound for those who wait, forgets them when it is closed, and
 * keeps no connection in plain text for a server that has no TLS.
 */
export class Pool {
  readonly #options: PoolOptions
  readonly #idle: Idle[] = []
  readonly #lent = new Set<Session>()
  readonly #waiting: Waiting[] = []
  #free: number
  #closed = false

  constructor(options: PoolOptions) {
    this.#options = options
    this.#free = options.most
  }

  /**
   * Runs a task on a connection of its own, once there is one. Rejects with what the task or opening threw, and with DriverError `unavailable` where too
   * many wait, or for too long, and `closed`.
   */
  async use<T>(task: (session: Session) => Promise<T>): Promise<T> {
    await this.#turn()
    try {
      const session = this.#rested() ?? (await this.#options.open())
      return await this.#lend(session, task)
    } finally {
      this.#next()
    }
  }

  /** Refuses who waits and who comes, and cuts off who is at it. */
  async close(): Promise<void> {
    this.#closed = true
    const fault = this.#closedFault()
    for (const { reject } of this.#waiting.splice(0)) reject(fault)
    for (const { wake } of this.#idle) wake()
    const sessions = [...this.#idle.splice(0).map(({ session }) => session), ...this.#lent]
    await Promise.all(sessions.map(({ client }) => endQuietly(client)))
  }

  async #lend<T>(session: Session, task: (session: Session) => Promise<T>): Promise<T> {
    let isSound = false
    this.#lent.add(session)
    try {
      if (this.#closed) throw this.#closedFault()
      const result = await task(session)
      isSound = true
      return result
    } catch (fault) {
      isSound = meaningOf(fault) !== 'lost'
      throw this.#closed && !isSound ? this.#closedFault() : fault
    } finally {
      this.#lent.delete(session)
      // one that a task left within its transaction, or busy, is of no use to the next
      if (isSound && !this.#closed && session.client.getTransactionStatus() === 'I') this.#rest(session)
      else void endQuietly(session.client)
    }
  }

  #turn(): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closedFault())
    if (this.#free > 0) {
      this.#free--
      return Promise.resolve()
    }
    const { most, store } = this.#options
    const busy = (why: string) =>
      new DriverError('unavailable', `${store} store: all ${most} connections are busy, ${why}`)
    if (this.#waiting.length >= MOST_WAITING)
      return Promise.reject(busy(`and ${MOST_WAITING} wait for one; try again later`))
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        resolve,
        reject,
        timer: setTimeout(() => {
          this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
          reject(busy(`for ${WAIT_MS / 1_000} s now; try again later`))
        }, WAIT_MS),
      }
      this.#waiting.push(waiting)
    })
  }

  #next(): void {
    const waiting = this.#waiting.shift()
    if (!waiting) {
      this.#free++
      return
    }
    clearTimeout(waiting.timer)
    waiting.resolve()
  }

  #rest(session: Session): void {
    const { client } = session
    const drop = () => {
      idle.wake()
      this.#idle.splice(this.#idle.indexOf(idle), 1)
      void endQuietly(client)
    }
    const timer = setTimeout(drop, IDLE_MS).unref()
    // the server went away meanwhile
    client.once('end', drop)
    const idle: Idle = {
      session,
      wake() {
        clearTimeout(timer)
        client.off('end', drop)
      },
    }
    this.#idle.push(idle)
  }

  #rested(): Session | undefined {
    const idle = this.#idle.pop()
    idle?.wake()
    return idle?.session
  }

  #closedFault(): DriverError {
    return new DriverError('closed', `${this.#options.store} store: it is closed`)
  }
}
