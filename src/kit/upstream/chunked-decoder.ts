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
  #state: State = SIZE
  #chunks = 0
  #extensionBytes = 0
  /** Where the data found in the bytes at hand is gathered. */
  #from = 0
  #to = 0

  /** True after the last chunk and its trailers. */
  get done(): boolean {
    return this.#state.at === 'done'
  }

  /** How many chunks came. */
  get chunks(): number {
    return this.#chunks
  }

  /**
   * Decodes what `bytes` hold of the body, in place: data is moved together over the sizes between, so that what comes in many small chunks
   * is passed on in one piece. Throws ResponseSyntaxError.
   * @param sink gets the data, if there is any; the bytes are lent
   * @returns how many bytes were part of the body
   */
  execute(bytes: Buffer, sink: { onBody(bytes: Buffer): void }): number {
    let at = 0
    this.#from = this.#to = 0
    while (at < bytes.length && !this.done) {
      if (this.#state === SIZE) at = this.#takeWholeChunks(bytes, at)
      if (at < bytes.length) at = this.#step(this.#state, bytes, at)
    }
    if (this.#from < this.#to) sink.onBody(bytes.subarray(this.#from, this.#to))
    return at
  }

  /** Takes chunks that are all there, without a state and a string for each: an answer may come in millions. Gives where the next one starts. */
  #takeWholeChunks(bytes: Buffer, from: number): number {
    for (let at = from; ; ) {
      let size = 0
      let sizeEnd = at
      for (let digit = digitOf(bytes[at]); digit >= 0 && sizeEnd < at + FEW_DIGITS; digit = digitOf(bytes[sizeEnd])) {
        size = size * 16 + digit
        sizeEnd++
      }
      const dataEnd = sizeEnd + 2 + size
      if (size === 0 || dataEnd + 2 > bytes.length || !isLineEnd(bytes, sizeEnd) || !isLineEnd(bytes, dataEnd))
        return at
      this.#chunks++
      this.#keep(bytes, sizeEnd + 2, size)
      at = dataEnd + 2
    }
  }

  #step(state: State, bytes: Buffer, at: number): number {
    switch (state.at) {
      case 'size':
      case 'trailer':
        return this.#takeLine(state, bytes, at)
      case 'data': {
        const used = Math.min(state.left, bytes.length - at)
        this.#state = used === state.left ? { at: 'data-end', seen: 0 } : { at: 'data', left: state.left - used }
        this.#keep(bytes, at, used)
        return at + used
      }
      case 'data-end':
        if (bytes[at] !== (state.seen === 0 ? CR : LF))
          throw new ResponseSyntaxError('a chunk longer or shorter than it says')
        this.#state = state.seen === 0 ? { at: 'data-end', seen: 1 } : SIZE
        return at + 1
      case 'done':
        return at
    }
  }

  /** Moves data to what was found before it. */
  #keep(bytes: Buffer, at: number, count: number): void {
    if (this.#from === this.#to) this.#from = this.#to = at
    else if (count > FEW_BYTES) bytes.copyWithin(this.#to, at, at + count)
    else for (let moved = 0; moved < count; moved++) bytes[this.#to + moved] = bytes[at + moved] ?? 0
    this.#to += count
  }

  /** Reads on to the end of a size or trailer line; gives where the next one starts. */
  #takeLine(state: Extract<State, { at: 'size' | 'trailer' }>, bytes: Buffer, from: number): number {
    const lf = bytes.indexOf(LF, from)
    const to = lf === -1 ? bytes.length : lf + 1
    const line = state.line + bytes.toString('latin1', from, Math.min(to, from + MAX_LINE_BYTES + 1))
    if (line.length > MAX_LINE_BYTES) throw new ResponseSyntaxError('an endless chunk size or trailer line')
    if (lf === -1) this.#state = { ...state, line }
    else if (state.at === 'size') {
      this.#chunks++
      this.#extensionBytes += line.includes(';') ? line.length : 0
      if (this.#extensionBytes > MAX_EXTENSION_BYTES)
        throw new ResponseSyntaxError(`chunk extensions of more than ${MAX_EXTENSION_BYTES} bytes`)
      this.#state = afterSize(line)
    } else this.#state = afterTrailer(line, state.size + line.length)
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

/** Value of a hexadecimal digit; -1 for anything else. */
function digitOf(byte = 0): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

function isLineEnd(bytes: Buffer, at: number): boolean {
  return bytes[at] === CR && bytes[at + 1] === LF
}

const SIZE: State = { at: 'size', line: '' }
const CR = 0x0d
const LF = 0x0a
/** Digits of the size of a chunk that one read may hold. */
const FEW_DIGITS = 6
/** So few are moved faster one by one. */
const FEW_BYTES = 16
const MAX_LINE_BYTES = 4_096
const MAX_TRAILER_BYTES = 16_384
/** Of all chunks together. */
const MAX_EXTENSION_BYTES = 16_384
