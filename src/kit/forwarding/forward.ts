import type { ServerResponse } from 'node:http'
import type { Clock } from '../../drivers/clock.ts'
import { ABSENT } from '../roster.ts'
import type { RequestHandler, UpstreamConnection } from '../upstream/connection.ts'
import type { InstancePool, PoolRefusal, Waiter } from '../upstream/pool.ts'
import type { ResponseHead } from '../upstream/response-head.ts'
import { ResponseSyntaxError } from '../upstream/response-syntax-error.ts'
import type { Watchdog, Watched } from '../upstream/watchdog.ts'
import { isOpenEnded } from './open-ended.ts'
import type { RequestBody } from './request-body.ts'
import { UploadPump } from './upload-pump.ts'

/** One attempt to have a request answered by one instance. */
export interface Attempt {
  readonly pool: InstancePool
  readonly outgoing: ServerResponse
  readonly method: string
  /** Request line and header lines with the blank line, latin1. */
  readonly head: string
  readonly body: RequestBody
  /** Whether it must not be sent again, however it goes. */
  readonly once: boolean
  /** Who asks: `callerNumber`. */
  readonly caller: number
  /** Largest request body in bytes. */
  readonly bodyLimit: number
  /** Monotonic milliseconds by which the response's head must be there. */
  readonly deadlineAt: number
  /** Milliseconds the upstream may stay silent when it is its turn: until its response begins, and within a body. */
  readonly silenceMs: number
  /** The same within a response that is open-ended; undefined: for as long as it likes. */
  readonly streamIdleMs: number | undefined
  /** The same for the client within a streamed body, which then may come after the deadline; undefined: it has to be here by then. */
  readonly uploadStallMs: number | undefined
  /** Fires when the role begins to stop: open-ended responses end with it. */
  readonly stopping: AbortSignal
  /** The headers the client gets for the upstream's. @param openEnded whether a body without an end of its own follows */
  readonly headers: (head: ResponseHead, openEnded: boolean) => string[]
  readonly clock: Clock
  readonly watchdog: Watchdog
  /** Told once how it ended. Unless the outcome says so, nothing was answered to the client. */
  readonly done: (outcome: Outcome) => void
}

/** How an attempt ended. */
export type Outcome =
  /** The client has the whole response. */
  | { readonly kind: 'answered'; readonly status: number }
  /** The response broke off half way, and the client's connection with it, so that the client sees it as cut. */
  | { readonly kind: 'cut'; readonly status: number; readonly cause: Error }
  /** An open-ended response was ended from here, since it was silent for too long or the role stops. */
  | { readonly kind: 'ended'; readonly status: number }
  /** The client went away, or stopped reading; the upstream's connection was closed. */
  | { readonly kind: 'client-gone' }
  /** The client hadn't sent all of its body by the deadline. */
  | { readonly kind: 'client-slow' }
  | { readonly kind: 'body-too-large' }
  /** No connection: the instance never saw the request. */
  | { readonly kind: 'refused'; readonly refusal: PoolRefusal }
  /** The connection broke. `stale`: an idle one was just being closed; nothing came on it. */
  | { readonly kind: 'broken'; readonly stale: boolean; readonly cause: Error }
  /** What the instance answered breaks HTTP/1.1. */
  | { readonly kind: 'malformed'; readonly cause: ResponseSyntaxError }
  /** The instance was silent for too long, or the deadline passed. */
  | { readonly kind: 'timeout' }

type State =
  | { readonly at: 'waiting' }
  | { readonly at: 'asking'; readonly connection: UpstreamConnection }
  | {
      readonly at: 'answering'
      readonly connection: UpstreamConnection
      readonly status: number
      readonly openEnded: boolean
      /** Milliseconds the upstream may stay silent from now on. */
      readonly silenceMs: number
    }
  | { readonly at: 'done' }

/** Milliseconds after which a client that reads nothing of a response is given up. */
const CLIENT_STALL_MS = 60_000
/** Bytes waiting for a slow client beyond which the upstream isn't read; with one read more that makes 64 KB. */
const HIGH_WATER_BYTES = 32_768
/** Asks after a reader of whom nothing is heard for 15 s, and gives him up 15 s later. */
const CLIENT_PROBES = { enable: true, initialDelay: 15_000, interval: 5_000, count: 3 }
/** How many pieces may wait, whatever their size: each costs half a kilobyte besides its bytes. */
const MAX_UNFLUSHED = 64

/** Sends a request to one instance and its answer to the client, streaming both, and says how it went. Begins at once. */
export function forward(attempt: Attempt): void {
  new Forward(attempt).start()
}

class Forward implements Waiter, RequestHandler, Watched {
  readonly #attempt: Attempt
  readonly caller: number
  readonly upload: boolean
  readonly once: boolean
  #state: State = { at: 'waiting' }
  #upload: UploadPump | undefined
  #paused = false
  /** Pieces of the body that wait for the client. */
  #unflushed = 0
  dueAt: number
  place = ABSENT

  constructor(attempt: Attempt) {
    this.#attempt = attempt
    this.caller = attempt.caller
    this.once = attempt.once
    this.upload = attempt.body.kind === 'stream'
    this.dueAt = attempt.deadlineAt
  }

  start(): void {
    const { outgoing, watchdog, pool } = this.#attempt
    outgoing.on('close', this.#onClientClose)
    watchdog.watch(this)
    pool.acquire(this)
  }

  onConnection(connection: UpstreamConnection): void {
    const { method, head, body } = this.#attempt
    this.#state = { at: 'asking', connection }
    if (body.kind === 'stream') {
      connection.send(method, head, undefined, false, this)
      this.#upload = new UploadPump(body, this.#attempt.bodyLimit, connection, (verdict) => this.#onUpload(verdict))
      this.#upload.start()
    } else connection.send(method, head, body.kind === 'held' ? body.bytes : undefined, true, this)
    this.#expectUpstream()
  }

  onRefused(refusal: PoolRefusal): void {
    this.#finish({ kind: 'refused', refusal })
  }

  onDrain(): void {
    this.#upload?.resume()
    this.#expectUpstream()
  }

  onWhole(head: ResponseHead, body: string): void {
    const { outgoing, headers } = this.#attempt
    outgoing.writeHead(head.status, head.reason, headers(head, false))
    outgoing.end(body, 'latin1')
    this.#finish({ kind: 'answered', status: head.status })
  }

  onHead(head: ResponseHead): void {
    if (this.#state.at !== 'asking') return
    const { outgoing, headers, silenceMs, streamIdleMs = Number.POSITIVE_INFINITY } = this.#attempt
    const openEnded = isOpenEnded(head)
    this.#state = {
      at: 'answering',
      connection: this.#state.connection,
      status: head.status,
      openEnded,
      silenceMs: openEnded ? streamIdleMs : silenceMs,
    }
    outgoing.writeHead(head.status, head.reason, headers(head, openEnded))
    this.#expectUpstream()
    if (openEnded) this.#staysOpen()
    // a head that no body follows at once, as an event stream's, must not wait for one; else they travel together
    process.nextTick(flushHead, outgoing)
  }

  onBody(bytes: Buffer): void {
    const { outgoing } = this.#attempt
    this.#unflushed++
    outgoing.write(Buffer.from(bytes), this.#onFlushed)
    if (this.#isBehind) this.#pause()
    else this.#expectUpstream()
  }

  onEnd(): void {
    const state = this.#state
    if (state.at !== 'answering') return
    this.#attempt.outgoing.end()
    this.#finish({ kind: 'answered', status: state.status })
  }

  onLost(cause: Error): void {
    const state = this.#state
    if (state.at === 'asking' && cause instanceof ResponseSyntaxError) this.#finish({ kind: 'malformed', cause })
    else if (state.at === 'asking') {
      const { reused, unanswered } = state.connection
      this.#finish({ kind: 'broken', stale: reused && unanswered, cause })
    } else if (state.at === 'answering') this.#cut(state.status, cause)
  }

  onDue(): void {
    const state = this.#state
    if (state.at === 'answering') {
      const { silenceMs } = state
      if (this.#paused) this.#attempt.outgoing.destroy()
      else if (state.openEnded) this.#end()
      else
        this.#cut(
          state.status,
          new Error(`the upstream sent nothing for ${silenceMs} ms in the middle of its response`),
        )
    } else if (state.at === 'waiting' && this.#attempt.pool.crowded) {
      // others hold the connections, which is no fault of the instance
      this.#finish({ kind: 'refused', refusal: { why: 'overloaded' } })
    } else if (this.#upload?.waitsForClient) this.#finish({ kind: 'client-slow' })
    else this.#finish({ kind: 'timeout' })
  }

  /** For an end that neither side tells of: a wire that is cut, a machine that is gone. And a stop waits for no stream. */
  #staysOpen(): void {
    const { outgoing, stopping } = this.#attempt
    outgoing.req.socket.setKeepAlive(CLIENT_PROBES)
    if (stopping.aborted) this.#end()
    else stopping.addEventListener('abort', this.#end)
  }

  /** Bound once: listeners are compared by identity. */
  readonly #onClientClose = () => this.#finish({ kind: 'client-gone' })

  readonly #onFlushed = () => {
    this.#unflushed--
    if (!this.#paused || this.#state.at !== 'answering' || this.#isBehind) return
    this.#paused = false
    this.#state.connection.resume()
    this.#expectUpstream()
  }

  /** Whether the client has more to take before the upstream is read on. */
  get #isBehind(): boolean {
    return this.#unflushed > MAX_UNFLUSHED || this.#attempt.outgoing.writableLength > HIGH_WATER_BYTES
  }

  #pause(): void {
    if (this.#paused || this.#state.at !== 'answering') return
    this.#paused = true
    this.#state.connection.pause()
    this.dueAt = this.#attempt.clock.monotonic() + CLIENT_STALL_MS
  }

  #onUpload(verdict: 'progress' | 'sent' | 'too-large'): void {
    if (verdict === 'too-large') this.#finish({ kind: 'body-too-large' })
    else this.#expectUpstream()
  }

  /** From now on it is the upstream's turn, unless the client still owes a part of its body: only then may silence be held against it. */
  #expectUpstream(): void {
    const { clock, silenceMs, uploadStallMs } = this.#attempt
    const state = this.#state
    const deadlineAt = this.#upload && uploadStallMs !== undefined ? Number.POSITIVE_INFINITY : this.#attempt.deadlineAt
    if (state.at === 'answering') this.dueAt = clock.monotonic() + state.silenceMs
    else if (this.#upload?.waitsForClient)
      this.dueAt = Math.min(deadlineAt, clock.monotonic() + (uploadStallMs ?? Infinity))
    else this.dueAt = Math.min(deadlineAt, clock.monotonic() + silenceMs)
  }

  readonly #end = () => {
    const state = this.#state
    if (state.at !== 'answering') return
    this.#breakOff()
    this.#finish({ kind: 'ended', status: state.status })
  }

  #cut(status: number, cause: Error): void {
    this.#breakOff()
    this.#finish({ kind: 'cut', status, cause })
  }

  /** Closes the client's connection so that it sees that this isn't the end of the response. */
  #breakOff(): void {
    const { outgoing } = this.#attempt
    // without chunks or a length, as in HTTP/1.0, only a reset tells the client that this is not the end
    if (outgoing.req.httpVersion === '1.0') outgoing.socket?.resetAndDestroy()
    else outgoing.destroy()
  }

  #finish(outcome: Outcome): void {
    const state = this.#state
    if (state.at === 'done') return
    this.#state = { at: 'done' }
    const { outgoing, watchdog, pool, done } = this.#attempt
    outgoing.off('close', this.#onClientClose)
    watchdog.unwatch(this)
    this.#upload?.stop()
    if (state.at === 'answering' && state.openEnded) this.#attempt.stopping.removeEventListener('abort', this.#end)
    if (state.at === 'waiting') pool.cancel(this)
    else {
      pool.release(this)
      if (outcome.kind !== 'answered') state.connection.close()
    }
    done(outcome)
  }
}

function flushHead(outgoing: ServerResponse): void {
  if (!outgoing.destroyed) outgoing.flushHeaders()
}
