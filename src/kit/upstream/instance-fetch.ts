import type { Instance } from '../discovery/directory.ts'
import { isIdempotent } from '../http/methods.ts'
import type { RequestHandler, UpstreamConnection } from './connection.ts'
import type { InstancePool, PoolRefusal, Waiter } from './pool.ts'
import type { ResponseHead } from './response-head.ts'
import type { Upstreams } from './upstreams.ts'

/** Bytes of an answer that wait for their reader before its connection isn't read on. */
const HIGH_WATER_BYTES = 65_536
/** What a piece of an answer counts for at least, bytes: it costs that much besides its own. */
const PIECE_BYTES = 512
/** Statuses whose answers have no body (Fetch standard, "null body status"). */
const BODILESS: ReadonlySet<number> = new Set([101, 204, 205, 304])

/** Why a request has no answer, or not a whole one. `cause` is the network's own error, where there is one. */
class UpstreamFault extends Error {
  override readonly name = 'UpstreamFault'
  /** False when no connection came about: the instance has seen nothing, and the request may go elsewhere, whatever its method. */
  readonly sent: boolean

  constructor(message: string, sent: boolean, options?: ErrorOptions) {
    super(message, options)
    this.sent = sent
  }
}

/** True when an error, or one that caused it, says that no connection came about. */
export function neverSent(thrown: unknown): boolean {
  for (let fault = thrown; fault instanceof Error; fault = fault.cause) {
    if (fault instanceof UpstreamFault) return !fault.sent
  }
  return false
}

/** Gives the `fetch` of an instance. */
export type InstanceFetch = (instance: Instance) => typeof fetch

/**
 * Makes a `fetch` for each instance, over pooled connections. It takes a URL of that instance, bodies that are text or bytes, and headers; it
 * follows no redirect, keeps no cookie and asks for no coding. Where an idle connection turns out to be closed, what may be repeated is sent once more,
 * on a new one; the rest goes on no connection that may be closing. Rejects with the signal's reason, or UpstreamFault.
 */
export function createInstanceFetch(upstreams: Upstreams): InstanceFetch {
  return (instance) => async (input, init) => {
    const { signal } = init ?? {}
    signal?.throwIfAborted()
    const pool = upstreams.poolOf(instance)
    if (!pool) throw new UpstreamFault(`${instance.host} is no address that a service may have`, false)
    return new Exchange(pool, outgoing(pool, String(input), init), signal ?? undefined).response
  }
}

/** A request written out. */
interface Outgoing {
  readonly method: string
  readonly head: string
  readonly body: Buffer | undefined
  readonly repeatable: boolean
}

function outgoing(pool: InstancePool, url: string, init: RequestInit = {}): Outgoing {
  const method = init.method ?? 'GET'
  if (!/^[A-Z]+$/.test(method)) throw new TypeError(`${method} is no method`)
  const { pathname, search } = new URL(url)
  // these refuse what would end a line
  const headers = new Headers(init.headers)
  const body = bytesOf(init.body)
  let head = `${method} ${pathname}${search} HTTP/1.1\r\nhost: ${pool.authority}\r\naccept-encoding: identity\r\n`
  for (const [name, value] of headers) if (!OWN_HEADERS.has(name)) head += `${name}: ${value}\r\n`
  if (body || !isIdempotent(method)) head += `content-length: ${body?.length ?? 0}\r\n`
  return { method, head: `${head}\r\n`, body, repeatable: isIdempotent(method) || headers.has('idempotency-key') }
}

/** What only the connection can say. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'accept-encoding',
  'keep-alive',
  'expect',
  'upgrade',
])

function bytesOf(body: RequestInit['body']): Buffer | undefined {
  if (body === undefined || body === null) return undefined
  if (typeof body === 'string') return Buffer.from(body)
  if (body instanceof Uint8Array) return Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  throw new TypeError('a body must be text or bytes')
}

type State =
  | { readonly at: 'waiting' }
  | { readonly at: 'asking'; readonly connection: UpstreamConnection }
  | {
      readonly at: 'answering'
      readonly connection: UpstreamConnection
      readonly reader: ReadableStreamDefaultController<Uint8Array>
    }
  | { readonly at: 'done' }

/** One request and its answer. */
class Exchange implements Waiter, RequestHandler {
  readonly caller = 0
  readonly upload = false
  readonly #pool: InstancePool
  readonly #request: Outgoing
  readonly #signal: AbortSignal | undefined
  readonly #answered = Promise.withResolvers<Response>()
  #state: State = { at: 'waiting' }
  #isSecond = false
  #isPaused = false

  constructor(pool: InstancePool, request: Outgoing, signal: AbortSignal | undefined) {
    this.#pool = pool
    this.#request = request
    this.#signal = signal
    signal?.addEventListener('abort', this.#onAbort)
    pool.acquire(this)
  }

  /** The answer, as soon as its head is there. */
  get response(): Promise<Response> {
    return this.#answered.promise
  }

  get once(): boolean {
    return this.#isSecond || !this.#request.repeatable
  }

  onConnection(connection: UpstreamConnection): void {
    const { method, head, body } = this.#request
    this.#state = { at: 'asking', connection }
    connection.send(method, head, body, true, this)
  }

  onRefused(refusal: PoolRefusal): void {
    this.#fail(refusalFault(this.#pool, refusal))
  }

  onDrain(): void {}

  onWhole(head: ResponseHead, body: string): void {
    this.#answer(head, body === '' ? null : Buffer.from(body, 'latin1'))
    this.#leave()
  }

  onHead(head: ResponseHead): void {
    if (this.#state.at !== 'asking') return
    const { connection } = this.#state
    const body = new ReadableStream<Uint8Array>(
      {
        start: (reader) => {
          this.#state = { at: 'answering', connection, reader }
        },
        pull: () => {
          if (!this.#isPaused) return
          this.#isPaused = false
          connection.resume()
        },
        cancel: () => this.#giveUp(),
      },
      { highWaterMark: HIGH_WATER_BYTES, size: ({ length }) => Math.max(length, PIECE_BYTES) },
    )
    this.#answer(head, body)
  }

  onBody(bytes: Buffer): void {
    if (this.#state.at !== 'answering') return
    const { connection, reader } = this.#state
    reader.enqueue(Buffer.from(bytes))
    if (this.#isPaused || (reader.desiredSize ?? 0) > 0) return
    this.#isPaused = true
    connection.pause()
  }

  onEnd(): void {
    if (this.#state.at !== 'answering') return
    const { reader } = this.#state
    this.#leave()
    reader.close()
  }

  onLost(cause: Error): void {
    const state = this.#state
    if (state.at === 'asking' && !this.#isSecond && this.#request.repeatable && isStale(state.connection)) {
      this.#isSecond = true
      this.#state = { at: 'waiting' }
      this.#pool.release(this)
      this.#pool.acquire(this)
    } else this.#fail(new UpstreamFault(`${this.#pool.authority}: ${cause.message}`, true, { cause }))
  }

  readonly #onAbort = () => this.#giveUp(this.#signal?.reason)

  /** Nobody waits for the rest. */
  #giveUp(reason?: unknown): void {
    const state = this.#state
    this.#fail(reason)
    if (state.at === 'asking' || state.at === 'answering') state.connection.close()
  }

  #fail(fault: unknown): void {
    const state = this.#state
    this.#leave()
    if (state.at === 'answering') state.reader.error(fault)
    else if (state.at !== 'done') this.#answered.reject(fault)
  }

  #leave(): void {
    const { at } = this.#state
    if (at === 'done') return
    this.#state = { at: 'done' }
    this.#signal?.removeEventListener('abort', this.#onAbort)
    if (at === 'waiting') this.#pool.cancel(this)
    else this.#pool.release(this)
  }

  #answer({ status, reason, rawHeaders }: ResponseHead, body: Buffer | ReadableStream<Uint8Array> | null): void {
    const headers = new Headers()
    for (let at = 0; at < rawHeaders.length; at += 2) headers.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '')
    this.#answered.resolve(new Response(BODILESS.has(status) ? null : body, { status, statusText: reason, headers }))
  }
}

/** Whether an idle connection was just being closed by the other side. */
const isStale = ({ reused, unanswered }: UpstreamConnection) => reused && unanswered

function refusalFault({ authority }: InstancePool, refusal: PoolRefusal): UpstreamFault {
  switch (refusal.why) {
    case 'connect':
      return new UpstreamFault(`${authority}: ${refusal.cause.message}`, false, { cause: refusal.cause })
    case 'overloaded':
    case 'share':
      return new UpstreamFault(`${authority}: too many requests wait for a connection`, false)
    case 'closed':
      return new UpstreamFault(`${authority} takes no more requests from here`, false)
  }
}
