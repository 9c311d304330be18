import { ResponseSyntaxError } from './response-syntax-error.ts'

type State =
  | { readonly at: 'size'; readonly line: string }
  | { readonly at: 'data'; readonly left: number }
  /** The CRLF after a chunk's data; `seen` of its two bytes came. */
  | { readonly at: 'data-end'; readonly seen: 0 | 1 }
  | { readonly at: 'trailer'; readonly line: string; readonly size: number }
  | { readonly at: 'done' }

/**
 * Incremental decoder of the chunked transfer coding (RFC 9112 §7.1). Chunk extensions and trailers are checked, bounded and dropped.
 * Strict about sizes (plain hexadecimal, at most 13 digits) and line ends (CRLF only).
 */
export class ChunkedDecoder {
  #state: State = { at: 'size', line: '' }

  /** True after the last chunk and its trailers. */
  get done(): boolean {
    return this.#state.at === 'done'
  }

  /**
   * Decodes what `bytes` hold of the body, in place: data is moved together over the sizes between, so that what comes in many small chunks
   * is passed on in one piece. Throws ResponseSyntaxError.
   * @param sink gets the data, if there is any; the bytes are lent
   * @returns how many bytes were part of the body
   */
  execute(bytes: Buffer, sink: { onBody(bytes: Buffer): void }): number {
    let at = 0
    let from = 0
    let to = 0
    while (at < bytes.length && !this.done) {
      const state = this.#state
      switch (state.at) {
        case 'size':
        case 'trailer':
          at = this.#takeLine(state, bytes, at)
          break
        case 'data': {
          const used = Math.min(state.left, bytes.length - at)
          this.#state = used === state.left ? { at: 'data-end', seen: 0 } : { at: 'data', left: state.left - used }
          if (from === to) from = to = at
          else bytes.copyWithin(to, at, at + used)
          to += used
          at += used
          break
        }
        case 'data-end':
          if (bytes[at] !== (state.seen === 0 ? CR : LF))
            throw new ResponseSyntaxError('a chunk longer or shorter than it says')
          this.#state = state.seen === 0 ? { at: 'data-end', seen: 1 } : { at: 'size', line: '' }
          at++
          break
      }
    }
    if (from < to) sink.onBody(bytes.subarray(from, to))
    return at
  }

  /** Reads on to the end of a size or trailer line; gives where the next one starts. */
  #takeLine(state: Extract<State, { at: 'size' | 'trailer' }>, bytes: Buffer, from: number): number {
    const lf = bytes.indexOf(LF, from)
    const to = lf === -1 ? bytes.length : lf + 1
    const line = state.line + bytes.toString('latin1', from, Math.min(to, from + MAX_LINE_BYTES + 1))
    if (line.length > MAX_LINE_BYTES) throw new ResponseSyntaxError('an endless chunk size or trailer line')
    if (lf === -1) this.#state = { ...state, line }
    else if (state.at === 'size') this.#state = afterSize(line)
    else this.#state = afterTrailer(line, state.size + line.length)
    return to
  }
}

/** Size, then perhaps extensions, which may hold no control character but a tab. */
const SIZE_LINE = /^([0-9a-f]{1,13})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?\r\n$/i
const TRAILER_LINE = /^[!#-'*+.0-9A-Z^-z|~-]+:[\t\x20-\x7e\x80-\xff]*\r\n$/

function afterSize(line: string): State {
  const digits = SIZE_LINE.exec(line)?.[1]
  if (digits === undefined) throw new ResponseSyntaxError('a malformed chunk size')
  const size = Number.parseInt(digits, 16)
  return size === 0 ? { at: 'trailer', line: '', size: 0 } : { at: 'data', left: size }
}

function afterTrailer(line: string, size: number): State {
  if (line === '\r\n') return { at: 'done' }
  if (!TRAILER_LINE.test(line)) throw new ResponseSyntaxError('a malformed trailer')
  if (size > MAX_TRAILER_BYTES) throw new ResponseSyntaxError(`trailers larger than ${MAX_TRAILER_BYTES} bytes`)
  return { at: 'trailer', line: '', size }
}

const CR = 0x0d
const LF = 0x0a
const MAX_LINE_BYTES = 4_096
const MAX_TRAILER_BYTES = 16_384
