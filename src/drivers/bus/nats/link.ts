import { once, setMaxListeners } from 'node:events'
import {
  connect,
  errors,
  type Msg,
  type NatsConnection,
  type ServerInfo,
  type Subscription,
} from '@nats-io/transport-node'
import { DriverError } from '../../driver-error.ts'
import type { NatsAddress } from './address.ts'
import { checkTlsFiles, credentialsIn } from './credentials.ts'
import { connectFault, lostLink, toDriverError } from './faults.ts'

/** How long the first connection may take, in milliseconds. */
const CONNECT_MS = 3_000
/** Between two attempts to connect again, in milliseconds: a server that is back is used within a second. */
const RECONNECT_MS = 200
const RECONNECT_JITTER_MS = 200
/** A peer that is gone without a word is noticed after three of these, in milliseconds. */
const PING_MS = 1_500
const MOST_PINGS_OUT = 2
/** Whoever asks while there is no connection waits for one at most so long, in milliseconds. */
const PATIENCE_MS = 2_000
/** An answer that takes longer is none, in milliseconds. */
const ANSWER_MS = 5_000

/** What a server takes by default; of our own, one message carries no more where it takes more. */
const MOST_BYTES = 1024 * 1024
/** Of these, what is left to headers. */
const HEADERS = 1024
/** What a message carries even where a server says that it takes less. */
const LEAST_BYTES = 512

/** Times that a question is asked whose answers don't come because the connection breaks. */
const MOST_ATTEMPTS = 3
const BROKEN = Symbol('broken')

/** One connection to NATS that comes back for ever. Nothing is held back while there is none: who asks waits a little, and then hears `unavailable`. */
export class NatsLink {
  readonly connection: NatsConnection
  readonly #turns = new EventTarget()
  #isUp = true
  #isClosed = false
  #refusal: DriverError | undefined
  /** Why the server lets us in no longer, while it does not. */
  #shutOutBy: Error | undefined
  /** Sends since the connection was last made: what was sent before may be lost. */
  #epoch = 1

  private constructor(connection: NatsConnection) {
    this.connection = connection
    // one for each question that is open: many at a time are no leak, of which Node would warn
    setMaxListeners(0, this.#turns)
    void this.#watch()
  }

  /** Connects. @throws DriverError `invalid` for what trying again won't mend, else `unavailable`; the message says what to do. */
  static async open(address: NatsAddress): Promise<NatsLink> {
    const { servers, user, password, token, tls, tlsFiles, credentials } = address
    checkTlsFiles(tlsFiles)
    const authenticator = credentials === undefined ? undefined : credentialsIn(credentials)
    try {
      const connection = await connect({
        servers: [...servers],
        name: `msvc ${address.name}`,
        timeout: CONNECT_MS,
        maxReconnectAttempts: -1,
        reconnectTimeWait: RECONNECT_MS,
        reconnectJitter: RECONNECT_JITTER_MS,
        reconnectJitterTLS: RECONNECT_JITTER_MS,
        ignoreAuthErrorAbort: true,
        pingInterval: PING_MS,
        maxPingOut: MOST_PINGS_OUT,
        noAsyncTraces: true,
        ...(token !== undefined && { token }),
        ...(user !== undefined && { user, pass: password ?? '' }),
        ...(authenticator && { authenticator }),
        ...(tls && { tls: tlsFiles }),
      })
      rememberAll(connection, servers)
      return new NatsLink(connection)
    } catch (fault) {
      throw connectFault(fault, address)
    }
  }

  /** Whether there is a connection now. */
  get isUp(): boolean {
    return this.#isUp
  }

  /** Goes up with every connection made. */
  get epoch(): number {
    return this.#epoch
  }

  /** What the server says of itself; of the last one while there is none. */
  get info(): ServerInfo | undefined {
    return this.connection.info
  }

  /** How many bytes the server takes as one message, headers included (`max_payload`). */
  get most(): number {
    return this.info?.max_payload ?? MOST_BYTES
  }

  /** How many bytes of our own one message may carry besides its headers. */
  get room(): number {
    return Math.max(LEAST_BYTES, Math.min(MOST_BYTES, this.most) - HEADERS)
  }

  /**
   * Calls back with every message of a subject, over all connections; the subscription says how to stop. One that the listener doesn't understand, and throws
   * at, is taken for lost: anybody on the server may send it, and what is thrown within the client's callback ends its reading of the connection.
   */
  listen(subject: string, listener: (message: Msg) => void): Subscription {
    return this.connection.subscribe(subject, {
      callback: (fault, message) => {
        if (fault === null) heed(message, listener)
        else this.#refusal ??= toDriverError(fault)
      },
    })
  }

  /** Resolves when the server took all that was sent and subscribed to. Rejects with DriverError for what this user may not. */
  async settled(): Promise<void> {
    await this.connection.flush().catch((fault: unknown) => {
      throw toDriverError(fault)
    })
    if (this.#refusal !== undefined) throw this.#refusal
  }

  /** Calls back when a connection was made again, or lost; returns how to stop. */
  on(turn: 'up' | 'down', listener: () => void): () => void {
    this.#turns.addEventListener(turn, listener)
    return () => this.#turns.removeEventListener(turn, listener)
  }

  /** Resolves as soon as there is a connection. Rejects with DriverError `unavailable` after `patienceMs`, or `closed`. */
  async whenUp(patienceMs: number = PATIENCE_MS): Promise<void> {
    if (this.#isClosed) throw closed()
    if (this.#isUp) return
    try {
      await once(this.#turns, 'up', { signal: AbortSignal.timeout(patienceMs) })
    } catch (cause) {
      throw lostLink(cause, this.#shutOutBy)
    }
    if (this.#isClosed) throw closed()
  }

  /** Asks and waits for the one answer. Rejects with DriverError `unavailable`, or whatever the library says of nobody there to answer. */
  async request(subject: string, payload: string | Uint8Array, timeoutMs: number = ANSWER_MS): Promise<Msg> {
    await this.whenUp()
    return this.connection.request(subject, payload, { timeout: timeoutMs })
  }

  /**
   * Asks what may be asked again: it is, when the connection breaks meanwhile. Rejects with DriverError `unavailable` where there is none for too long, and
   * with whatever `question` rejects with.
   */
  async ask<T>(question: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      await this.whenUp()
      const { promise: broken, resolve } = Promise.withResolvers<typeof BROKEN>()
      const stop = this.on('down', () => resolve(BROKEN))
      try {
        const answer = await Promise.race([question(), broken])
        if (answer !== BROKEN) return answer
        if (attempt >= MOST_ATTEMPTS) throw lostLink(undefined, this.#shutOutBy)
      } finally {
        stop()
      }
    }
  }

  /** Ends the connection. What was sent is on its way, nothing more is. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#isUp) await this.connection.flush().catch(() => {})
    await this.connection.close()
    this.#turns.dispatchEvent(new Event('up'))
  }

  async #watch(): Promise<void> {
    for await (const status of this.connection.status()) {
      if (status.type === 'error' && isShutOut(status.error)) this.#shutOutBy = status.error
      // the client tells of each attempt that a server refused: of the connection as lost once more, and in the end as made so many times
      if (status.type === 'disconnect' && this.#isUp) {
        this.#isUp = false
        this.#turns.dispatchEvent(new Event('down'))
      }
      if (status.type === 'reconnect' && !this.#isUp) {
        this.#isUp = true
        this.#epoch++
        this.#shutOutBy = undefined
        this.#turns.dispatchEvent(new Event('up'))
      }
    }
  }
}

function heed(message: Msg, listener: (message: Msg) => void): void {
  try {
    listener(message)
  } catch {
    // see listen: as much happens to it as to one that got lost
  }
}

/** The client forgets servers that are away when it first connects; a cluster that advertises no addresses, or others, would never bring them back. */
function rememberAll(connection: NatsConnection, servers: readonly string[]): void {
  const known = connection.getServers().map(({ listen }) => listen)
  const forgotten = servers.filter((server) => !known.includes(server.toLowerCase()))
  if (forgotten.length > 0) connection.setServers([...known, ...forgotten])
}

/** Whether a server says that this user is not, or no longer, let in. */
function isShutOut(fault: Error): boolean {
  if (fault instanceof errors.AuthorizationError || fault instanceof errors.UserAuthenticationExpiredError) return true
  return /authentication revoked/i.test(fault.message)
}

function closed(): DriverError {
  return new DriverError('closed', 'the bus is closed')
}
