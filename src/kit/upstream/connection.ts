import { connect, isIP, type LookupFunction, type Socket } from 'node:net'
import { connect as connectSecurely } from 'node:tls'
import type { Clock } from '../../drivers/clock.ts'
import { guardedLookup, isLoopbackName } from '../discovery/address-rule.ts'
import type { Endpoint } from '../discovery/endpoint.ts'
import { atEndOfTurn } from '../http/end-of-turn.ts'
import { inGreedyTurn } from '../http/greedy-turns.ts'
import type { ResponseHead } from './response-head.ts'
import { type ResponseHandler, ResponseParser } from './response-parser.ts'
import { ConnectTimeout } from './unreachable.ts'

/** Gets what becomes of one request; nothing more after `onWhole`, `onEnd` or `onLost`. */
export interface RequestHandler extends ResponseHandler {
  /** The request's body may go on being written. */
  onDrain(): void
  /** The connection broke before the response was complete, or the response broke HTTP. */
  onLost(cause: Error): void
}

/** What the pool needs to know of its connections. */
export interface ConnectionOwner {
  /** Connected, or done with a response: ready for the next request. */
  onIdle(connection: UpstreamConnection): void
  /** Closed, for whatever reason. `cause` tells why it never connected. */
  onClosed(connection: UpstreamConnection, cause: Error | undefined): void
}

/** Where and how to connect. */
export interface ConnectionOptions {
  readonly endpoint: Endpoint
  /** Milliseconds until a connection attempt counts as failed. */
  readonly connectTimeoutMs: number
  /** Longest idle time in milliseconds; shorter where the upstream's Keep-Alive header asks for it. */
  readonly idleMs: number
  readonly clock: Clock
  /** How names become addresses. Default `guardedLookup`: at each connection, since a name may have been moved meanwhile (DNS rebinding). */
  readonly lookup?: LookupFunction | undefined
}

type State =
  | { readonly at: 'connecting' }
  | { readonly at: 'idle'; readonly until: number }
  | { readonly at: 'busy'; readonly handler: RequestHandler }
  | { readonly at: 'closed' }

/**
 * One HTTP/1.1 connection to an upstream: one request at a time, never pipelined. What an upstream sends that nobody asked for closes the
 * connection and is given to nobody, so one client can't get what was meant for another.
 */
export class UpstreamConnection implements ResponseHandler {
  readonly #socket: Socket
  readonly #parser = new ResponseParser()
  readonly #owner: ConnectionOwner
  readonly #options: ConnectionOptions
  readonly #connectTimer: NodeJS.Timeout
  #state: State = { at: 'connecting' }
  #head: ResponseHead | undefined
  #requestSent = true
  /** Its handler takes nothing. */
  #isPaused = false
  #waitsForTurn = false
  #readInto = FIRST_READ
  #served = 0
  #idleSince = 0
  /** When it takes no more requests: monotonic milliseconds. */
  #oldAt = Number.POSITIVE_INFINITY
  #diedIdleMs: number | undefined
  #cause: Error | undefined

  constructor(options: ConnectionOptions, owner: ConnectionOwner) {
    this.#options = options
    this.#owner = owner
    const { endpoint, connectTimeoutMs, lookup = guardedLookup } = options
    const { host, port } = endpoint
    const target = {
      host,
      port,
      noDelay: true,
      lookup,
      onread: {
        buffer: () => this.#readInto,
        callback: (size: number) => {
          const into = this.#readInto
          this.#read(size === into.length ? into : into.subarray(0, size))
          return true
        },
      },
    }
    const secure = endpoint.scheme === 'https'
    const socket = secure
      ? connectSecurely({ ...target, ...(isIP(host) === 0 && { servername: host }) })
      : connect(target)
    socket.setKeepAlive(PROBES)
    socket.on(secure ? 'secureConnect' : 'connect', () => this.#connected())
    socket.on('drain', () => {
      if (this.#state.at === 'busy') this.#state.handler.onDrain()
    })
    socket.on('error', (cause) => {
      this.#cause ??= cause
    })
    socket.on('end', () => this.#ended())
    socket.on('close', () => this.#closed())
    this.#socket = socket
    // it may have come about while the loop was held up: what the system knows is heard before its time is said to be up
    this.#connectTimer = setTimeout(() => setImmediate(() => this.#giveUpConnecting()), connectTimeoutMs)
  }

  /** True when an earlier request was answered on it: then the upstream may be closing it this very moment. */
  get reused(): boolean {
    return this.#served > 1
  }

  /** True when no byte of the response came yet. */
  get unanswered(): boolean {
    return !this.#parser.begun
  }

  /** Milliseconds it had been idle when the other side closed it: it met no request, or one that got no byte of an answer. */
  get diedIdleMs(): number | undefined {
    return this.#diedIdleMs
  }

  /** Milliseconds since it became idle. */
  idleMs(now: number): number {
    return now - this.#idleSince
  }

  /** True when no request was sent on it yet. */
  get unused(): boolean {
    return this.#served === 0
  }

  /** True when it is idle and not past its time. */
  isFresh(now: number): boolean {
    return this.#state.at === 'idle' && now < this.#state.until
  }

  /**
   * Sends a request's head, and its body where it is at hand.
   * @param head request line and header lines with the blank line, latin1
   * @param body all of the body, or undefined when `write` and `endRequest` follow or there is none
   * @param complete false when `write` and `endRequest` follow
   */
  send(method: string, head: string, body: Buffer | undefined, complete: boolean, handler: RequestHandler): void {
    if (this.#state.at !== 'idle') throw new Error(`a request was sent on a connection that is ${this.#state.at}`)
    this.#state = { at: 'busy', handler }
    this.#head = undefined
    this.#requestSent = complete
    this.#served++
    this.#parser.expect(method, this)
    this.#socket.cork()
    if (body === undefined) this.#socket.write(head, 'latin1')
    else if (body.length <= JOINED_BYTES) this.#socket.write(head + body.toString('latin1'), 'latin1')
    else {
      this.#socket.write(head, 'latin1')
      this.#socket.write(body)
    }
    atEndOfTurn(() => this.#socket.uncork())
  }

  /** Sends a part of the body; false when the upstream doesn't keep up: wait for `onDrain`. */
  write(bytes: Buffer): boolean {
    return this.#socket.write(bytes)
  }

  /** Sends a part of the body as one chunk of the chunked coding. */
  writeChunk(bytes: Buffer): boolean {
    this.#socket.cork()
    this.#socket.write(`${bytes.length.toString(16)}\r\n`, 'latin1')
    this.#socket.write(bytes)
    const more = this.#socket.write('\r\n', 'latin1')
    this.#socket.uncork()
    return more
  }

  /** The request is complete. @param chunked true to send the last chunk */
  endRequest(chunked: boolean): void {
    if (chunked) this.#socket.write('0\r\n\r\n', 'latin1')
    this.#requestSent = true
  }

  /** Stops reading, so that the upstream feels a slow client. */
  pause(): void {
    this.#isPaused = true
    this.#socket.pause()
  }

  resume(): void {
    this.#isPaused = false
    if (!this.#waitsForTurn) this.#socket.resume()
  }

  /** Closes at once; a request under way is lost, and its handler isn't told: it is the one who calls this. */
  close(cause?: Error): void {
    if (this.#state.at !== 'connecting') this.#state = { at: 'closed' }
    this.#cause ??= cause
    this.#socket.destroy()
  }

  onWhole(head: ResponseHead, body: string): void {
    this.#head = head
    if (this.#state.at === 'busy') this.#state.handler.onWhole(head, body)
  }

  onHead(head: ResponseHead): void {
    this.#head = head
    if (this.#state.at === 'busy') this.#state.handler.onHead(head)
  }

  onBody(bytes: Buffer): void {
    if (this.#state.at === 'busy') this.#state.handler.onBody(bytes)
  }

  onEnd(): void {
    if (this.#state.at === 'busy') this.#state.handler.onEnd()
  }

  #giveUpConnecting(): void {
    if (this.#state.at === 'connecting') this.close(new ConnectTimeout(this.#options.connectTimeoutMs))
  }

  #connected(): void {
    clearTimeout(this.#connectTimer)
    const { endpoint, clock } = this.#options
    if (isIP(endpoint.host) === 0 && !isLoopbackName(endpoint.host)) this.#oldAt = clock.monotonic() + NAMED_MS
    this.#becomeIdle(this.#options.idleMs)
  }

  #becomeIdle(idleMs: number): void {
    const now = this.#options.clock.monotonic()
    this.#idleSince = now
    this.#state = { at: 'idle', until: Math.min(now + idleMs, this.#oldAt) }
    this.#owner.onIdle(this)
  }

  #read(bytes: Buffer): void {
    if (this.#state.at !== 'busy') {
      this.#socket.destroy()
      return
    }
    const chunksBefore = this.#parser.chunks
    let used: number
    try {
      used = this.#parser.execute(bytes)
    } catch (thrown) {
      this.#lose(thrown instanceof Error ? thrown : new Error(String(thrown)))
      return
    }
    // only now may the next request go out: what follows the response must never be read as its answer
    if (!this.#parser.busy) this.#afterResponse(used < bytes.length)
    else if (this.#parser.chunks - chunksBefore > READ_CHUNKS) this.#waitForTurn()
    else this.#readInto = FURTHER_READ
  }

  /** Reading on at once, as long as there is anything, would let nobody else's turn come. */
  #waitForTurn(): void {
    this.#waitsForTurn = true
    this.#readInto = FIRST_READ
    this.#socket.pause()
    inGreedyTurn(() => {
      this.#waitsForTurn = false
      if (this.#isPaused || this.#socket.destroyed) return false
      this.#socket.resume()
      return true
    })
  }

  #afterResponse(surplus: boolean): void {
    const head = this.#head
    const isOver = surplus || !head?.keepAlive || this.#options.clock.monotonic() >= this.#oldAt
    if (isOver || !this.#requestSent || this.#state.at !== 'busy') {
      this.#state = { at: 'closed' }
      this.#socket.destroy()
      return
    }
    this.#readInto = FIRST_READ
    this.resume()
    const { idleMs } = this.#options
    this.#becomeIdle(
      head.keepAliveMs === undefined ? idleMs : Math.min(idleMs, head.keepAliveMs - KEEP_ALIVE_MARGIN_MS),
    )
  }

  #ended(): void {
    if (this.#state.at === 'busy' && this.#parser.finish()) this.#afterResponse(true)
    else this.#lose(new Error('the upstream closed the connection before its response was complete'))
  }

  #lose(cause: Error): void {
    this.#cause ??= cause
    const state = this.#state
    if (state.at === 'idle' || (state.at === 'busy' && this.reused && this.unanswered)) {
      this.#diedIdleMs = this.idleMs(this.#options.clock.monotonic())
    }
    this.#state = { at: 'closed' }
    this.#socket.destroy()
    if (state.at === 'busy') state.handler.onLost(this.#cause)
  }

  #closed(): void {
    clearTimeout(this.#connectTimer)
    const neverConnected = this.#state.at === 'connecting'
    this.#lose(new Error('the connection to the upstream was closed'))
    this.#owner.onClosed(this, neverConnected ? this.#cause : undefined)
  }
}

/**
 * What all connections read into: that spares an allocation and the stream machinery at every read. What was read is done with before the next one
 * reads, so one is enough. Its size is the most that one slow client makes the gateway hold beside its own send buffer.
 */
const FURTHER_READ = Buffer.allocUnsafeSlow(32_768)
/** The same for a response's first bytes, and for one in small chunks: many connections may have something to read in one turn of the loop. */
const FIRST_READ = Buffer.allocUnsafeSlow(8_192)
/** Chunks in one read from which on it is work. */
const READ_CHUNKS = 512
/** Asks after another machine of which nothing is heard for 2 s, and gives it up 3 s later: a stream may be silent for hours. */
const PROBES = { enable: true, initialDelay: 2_000, interval: 1_000, count: 3 }
/**
 * How long a connection to a name is used, milliseconds: names of replicas (a headless service, several containers of one name) mean other addresses as
 * these come and go. `dns.lookup` doesn't tell how long an answer holds; `dns.resolve4` does, but asks name servers alone: it finds nothing of /etc/hosts, and no
 * short name that a search list completes, as in Kubernetes.
 */
const NAMED_MS = 30_000
/** A body up to this size travels in one string with its head. */
const JOINED_BYTES = 4_096
/** How much earlier than the upstream an idle connection is given up, so that no request meets its closing. */
const KEEP_ALIVE_MARGIN_MS = 1_000
