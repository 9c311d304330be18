import { AppError } from '../../../kit/errors.ts'
import { bodyText, parseJsonText } from '../../../kit/http/body.ts'
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  isBlank,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
} from '../../../kit/http/json-bytes.ts'
import { MAX_OTLP_VALUES } from './bounds.ts'
import { tooManyValues } from './walked.ts'

/** Where a value stands in the bytes. */
export interface JsonSpot {
  readonly from: number
  readonly end: number
}

/**
 * Goes through a JSON document from its beginning to its end without building it: whoever knows where the large lists are takes each of their
 * elements by itself. What is passed over is not checked. Throws AppError `INVALID_BODY`, and
 * `BODY_TOO_LARGE` for more than a million steps.
 */
export class JsonScanner {
  readonly #bytes: Buffer
  #at = 0
  #steps = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** The elements of the list that is next, each to be taken by the caller: by `pass`, `parse`, or one of these. None of null. */
  *elements(): Generator<void> {
    if (this.#isNull()) return
    this.#take(OPEN_BRACKET, 'a list')
    if (this.#next() === CLOSE_BRACKET) this.#at++
    else {
      do yield this.#step()
      while (this.#goesOn(CLOSE_BRACKET))
    }
  }

  /** The names of the members of the object that is next, the value of each to be taken by the caller. None of null. */
  *members(): Generator<string> {
    if (this.#isNull()) return
    this.#take(OPEN_BRACE, 'an object')
    if (this.#next() === CLOSE_BRACE) this.#at++
    else {
      do {
        if (this.#next() !== QUOTE) throw invalid('a name')
        const name = String(this.parse())
        this.#take(COLON, 'a colon')
        this.#step()
        yield name
      } while (this.#goesOn(CLOSE_BRACE))
    }
  }

  /** Passes over the value that is next. */
  pass(): JsonSpot {
    this.#next()
    const from = this.#at
    this.#at = this.#endOfValue(from)
    if (this.#at === from) throw invalid('a value')
    return { from, end: this.#at }
  }

  /** What stands at a spot. Throws AppError `BODY_TOO_LARGE` for more keys than one document may have. @param maxKeys of it */
  parse(spot: JsonSpot = this.pass(), maxKeys?: number): unknown {
    return parseJsonText(bodyText(this.#bytes.subarray(spot.from, spot.end)), maxKeys)
  }

  /** Throws unless nothing follows. */
  finish(): void {
    if (this.#next() !== undefined) throw invalid('the end')
  }

  #step(): void {
    if (++this.#steps > MAX_OTLP_VALUES) throw tooManyValues()
  }

  /** Whether another one follows; else the list or object is over. */
  #goesOn(close: number): boolean {
    const byte = this.#next()
    if (byte !== COMMA && byte !== close) throw invalid('a comma')
    this.#at++
    return byte === COMMA
  }

  #take(byte: number, what: string): void {
    if (this.#next() !== byte) throw invalid(what)
    this.#at++
  }

  #isNull(): boolean {
    if (this.#next() !== LOWER_N) return false
    if (this.parse() !== null) throw invalid('a list or an object')
    return true
  }

  /** The next byte that is no white space. */
  #next(): number | undefined {
    while (isBlank(this.#bytes[this.#at])) this.#at++
    return this.#bytes[this.#at]
  }

  #endOfValue(from: number): number {
    const bytes = this.#bytes
    let depth = 0
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at]
      if (byte === QUOTE) at = this.#endOfString(at)
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        if (depth === 0) return at
        if (--depth === 0) return at + 1
        continue
      } else if (depth === 0 && (byte === COMMA || byte === COLON || isBlank(byte))) return at
      if (depth === 0 && byte === QUOTE) return at + 1
    }
    throw invalid('more')
  }

  /** Where the closing quote of the string stands that opens here. */
  #endOfString(from: number): number {
    let at = this.#bytes.indexOf(QUOTE, from + 1)
    while (at > 0 && this.#isEscaped(at)) at = this.#bytes.indexOf(QUOTE, at + 1)
    if (at < 0) throw invalid('a closing quote')
    return at
  }

  #isEscaped(at: number): boolean {
    let from = at
    while (this.#bytes[from - 1] === BACKSLASH) from--
    return (at - from) % 2 === 1
  }
}

function invalid(wanted: string): AppError {
  return new AppError('INVALID_BODY', 'The body is no OTLP request in JSON', {
    detail: `The body is no OTLP request in JSON: ${wanted} was expected`,
  })
}

const LOWER_N = 0x6e
