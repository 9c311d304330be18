import { type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { isUnread } from './body.ts'
import { atEndOfTurn } from './end-of-turn.ts'
import type { Exchange } from './exchange.ts'
import type { IncomingRequest } from './incoming-request.ts'

type HeaderInput = OutgoingHttpHeaders | OutgoingHttpHeader[]

/** Milliseconds in which the rest of a body that nobody wanted is read and thrown away. */
const LINGER_MS = 1_000

/**
 * The answer to a request, given its exchange's headers at the last moment, whoever writes it: a Hono route, the gateway's
 * raw stream, or an error. Merging them here costs a tenth of what setting them on a web Response does. It leaves at the end of the
 * turn, together with the others.
 *
 * When the request's body is still on its way, the answer is sent at once, but its end waits: closing a connection on bytes that arrive makes TCP
 * reset it, and the client may never see what it was told. So the rest is read and dropped for up to a second first (RFC 9112 §9.6).
 */
export class ExchangeResponse extends ServerResponse<IncomingRequest> {
  exchange: Exchange | undefined
  #isAnswered = false
  #isSealed = false

  /** Whether all of the answer was given, though it may not have left yet. */
  get isAnswered(): boolean {
    return this.#isAnswered
  }

  /** The answer given is the last word: whoever else is about to answer, such as a route that hasn't heard of it, writes to nobody. */
  seal(): void {
    this.#isSealed = true
  }

  /**
   * Tells a client that waits for it to send its body (100 Continue, RFC 9110 §10.1.1), when it is this answer's turn on its connection: said earlier
   * it would stand in the middle of another's.
   */
  askForBody(): void {
    if (this.headersSent || this.req.complete || this.destroyed) return
    if (this.socket) this.writeContinue()
    else this.once('socket', () => this.askForBody())
  }

  override writeHead(status: number, message?: string | HeaderInput, headers?: HeaderInput): this {
    if (this.#isSealed) return this
    const given = typeof message === 'string' ? headers : message
    const own = this.exchange?.headers ?? {}
    const text = typeof message === 'string' ? message : undefined
    // what an earlier head said that could not be written
    if (text === undefined) this.statusMessage = ''
    if (Array.isArray(given)) {
      for (const name in own) given.push(name, own[name] ?? '')
      return text === undefined ? super.writeHead(status, given) : super.writeHead(status, text, given)
    }
    const all = given === undefined ? { ...own } : Object.assign(given, own)
    return text === undefined ? super.writeHead(status, all) : super.writeHead(status, text, all)
  }

  /** Node's own would write the head as UTF-8, and so every byte over 7F in it as two. */
  override flushHeaders(): void {
    if (!this.headersSent) this.writeHead(this.statusCode)
    const send: unknown = Reflect.get(this, '_send')
    if (typeof send === 'function') Reflect.apply(send, this, ['', 'latin1'])
  }

  override write(chunk: unknown, callback?: (fault: Error | null | undefined) => void): boolean
  override write(
    chunk: unknown,
    encoding: BufferEncoding,
    callback?: (fault: Error | null | undefined) => void,
  ): boolean
  override write(...args: unknown[]): boolean {
    return this.#isSealed || Reflect.apply(super.write, this, args)
  }

  override end(callback?: () => void): this
  override end(chunk: unknown, callback?: () => void): this
  override end(chunk: unknown, encoding: BufferEncoding, callback?: () => void): this
  override end(...args: unknown[]): this {
    if (this.#isSealed) return this
    this.#isAnswered = true
    if (isUnread(this.req)) this.#endAfterReading(args)
    else atEndOfTurn(() => this.#endNow(args))
    return this
  }

  #endNow(args: unknown[]): void {
    if (!this.destroyed) Reflect.apply(super.end, this, args)
  }

  #endAfterReading(args: unknown[]): void {
    const isCallback = (arg: unknown) => typeof arg === 'function'
    const end = () => {
      clearTimeout(timer)
      this.#endNow(args.filter(isCallback))
    }
    const timer = setTimeout(end, LINGER_MS)
    const content = args.filter((arg) => !isCallback(arg))
    if (content[0] !== undefined) Reflect.apply(this.write, this, content)
    this.flushHeaders()
    // node holds the first write back for a tick; if what follows on the connection is no HTTP, it is destroyed before that
    this.socket?.uncork()
    this.req.once('end', end).once('close', end).resume()
  }
}
