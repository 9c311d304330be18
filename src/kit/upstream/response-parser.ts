import { ChunkedDecoder } from './chunked-decoder.ts'
import { checkBeginning, parseHead, type ResponseHead } from './response-head.ts'
import { ResponseSyntaxError } from './response-syntax-error.ts'

/** Gets what the parser finds, in order: one `onWhole`, or `onHead`, any number of `onBody`, `onEnd`. */
export interface ResponseHandler {
  /** A response that came in one piece, its body as latin1 text: most answers of an API, and the cheapest way to pass them on. */
  onWhole(head: ResponseHead, body: string): void
  /** The head of a response whose body follows. */
  onHead(head: ResponseHead): void
  /** Part of the body, unchunked. The bytes are only lent: copy what outlives the call. */
  onBody(bytes: Buffer): void
  /** The body is complete. */
  onEnd(): void
}

type State =
  | { readonly at: 'idle' }
  /** `text` is what came so far of a head that arrives in pieces; `interim` counts 1xx heads. */
  | { readonly at: 'head'; readonly text: string; readonly interim: number }
  | { readonly at: 'length'; readonly left: number }
  | { readonly at: 'chunks'; readonly decoder: ChunkedDecoder }
  | { readonly at: 'close' }

/**
 * Incremental parser for the responses of one HTTP/1.1 connection (RFC 9112), one at a time. It is strict: what two servers could read
 * differently (two lengths, a length beside chunks, folded lines, bare CR or LF, odd codings) is a ResponseSyntaxError, so a poisoned
 * upstream can't slip a second response in.
 */
export class ResponseParser {
  #state: State = { at: 'idle' }
  #handler: ResponseHandler | undefined
  #bodiless = false

  /**
   * Begins to wait for the response to a request.
   * @param method decides whether there is a body: HEAD has none
   */
  expect(method: string, handler: ResponseHandler): void {
    this.#state = START
    this.#handler = handler
    this.#bodiless = method === 'HEAD'
  }

  /** True while a response is awaited or under way. */
  get busy(): boolean {
    return this.#state.at !== 'idle'
  }

  /** True once the first byte of a response came. */
  get begun(): boolean {
    return this.#state !== START
  }

  /** How many chunks came of the body that is under way. */
  get chunks(): number {
    return this.#state.at === 'chunks' ? this.#state.decoder.chunks : 0
  }

  /**
   * Takes the bytes read. Throws ResponseSyntaxError.
   * @returns how many bytes belonged to the response; fewer than `bytes.length` means that the upstream sent more than it was asked for
   */
  execute(bytes: Buffer): number {
    let used = 0
    while (used < bytes.length && this.#state.at !== 'idle') {
      used += this.#step(this.#state, used === 0 ? bytes : bytes.subarray(used))
    }
    return used
  }

  /**
   * The upstream has closed. Ends a body that lasts until the close.
   * @returns false when that cut a response off, or came before one
   */
  finish(): boolean {
    if (this.#state.at !== 'close') return this.#state.at === 'idle'
    this.#end()
    return true
  }

  #step(state: Exclude<State, { at: 'idle' }>, bytes: Buffer): number {
    switch (state.at) {
      case 'head':
        return this.#takeHead(state, bytes)
      case 'length':
        return this.#takeLength(state.left, bytes)
      case 'chunks': {
        const used = state.decoder.execute(bytes, this.#handler ?? NOBODY)
        if (state.decoder.done) this.#end()
        return used
      }
      case 'close':
        this.#handler?.onBody(bytes)
        return bytes.length
    }
  }

  #takeHead(state: { readonly text: string; readonly interim: number }, bytes: Buffer): number {
    const before = state.text.length
    const text = state.text + bytes.toString('latin1', 0, Math.min(bytes.length, MAX_HEAD_BYTES + 4))
    const end = text.indexOf('\r\n\r\n', Math.max(0, before - 3))
    if (end === -1 || end > MAX_HEAD_BYTES) {
      checkBeginning(text, before)
      if (text.length > MAX_HEAD_BYTES) throw new ResponseSyntaxError(`a head of more than ${MAX_HEAD_BYTES} bytes`)
      this.#state = { at: 'head', text, interim: state.interim }
      return bytes.length
    }
    const bodyAt = end + 4
    const head = parseHead(text, end + 2, this.#bodiless)
    if (head.status < 200) return this.#skipInterim(head, state.interim, bodyAt - before)
    const { framing } = head
    const length = framing.by === 'length' ? framing.length : framing.by === 'nothing' ? 0 : -1
    if (length >= 0 && text.length - bodyAt >= length && length <= MAX_WHOLE_BYTES) {
      this.#state = IDLE
      this.#handler?.onWhole(head, length === 0 ? '' : text.slice(bodyAt, bodyAt + length))
      return bodyAt + length - before
    }
    this.#beginBody(head)
    return bodyAt - before
  }

  /** 1xx answers are for the hop that asked for them, and this gateway asks for none (RFC 9110 §15.2); it only bounds how many come. */
  #skipInterim(head: ResponseHead, interim: number, used: number): number {
    if (head.status === 101) throw new ResponseSyntaxError('a switch of protocols that nobody asked for')
    if (interim >= MAX_INTERIM) throw new ResponseSyntaxError(`more than ${MAX_INTERIM} interim responses`)
    this.#state = { at: 'head', text: '', interim: interim + 1 }
    return used
  }

  #beginBody(head: ResponseHead): void {
    const { framing } = head
    if (framing.by === 'length') this.#state = { at: 'length', left: framing.length }
    else if (framing.by === 'chunks') this.#state = { at: 'chunks', decoder: new ChunkedDecoder() }
    else this.#state = { at: 'close' }
    this.#handler?.onHead(head)
  }

  #takeLength(left: number, bytes: Buffer): number {
    const used = Math.min(left, bytes.length)
    this.#state = { at: 'length', left: left - used }
    this.#handler?.onBody(used === bytes.length ? bytes : bytes.subarray(0, used))
    if (used === left) this.#end()
    return used
  }

  #end(): void {
    this.#state = IDLE
    this.#handler?.onEnd()
  }
}

const IDLE: State = { at: 'idle' }
const START: State = { at: 'head', text: '', interim: 0 }
const NOBODY = { onBody: () => {} }

/** Largest head taken from an upstream; the clients' limit is 16 KB, services may set many cookies (Envoy's limit is 60 KB). */
const MAX_HEAD_BYTES = 65_536
/** Largest body handed over as text with its head. */
const MAX_WHOLE_BYTES = 16_384
const MAX_INTERIM = 8
