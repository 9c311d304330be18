import { ResponseSyntaxError } from './response-syntax-error.ts'

/** How the end of a response's body is known (RFC 9112 §6.3). */
type BodyFraming =
  | { readonly by: 'nothing' }
  | { readonly by: 'length'; readonly length: number }
  | { readonly by: 'chunks' }
  | { readonly by: 'close' }

/** The head of a final response, as the upstream sent it. */
export interface ResponseHead {
  readonly status: number
  /** Names and values by turns, spelling and order kept. Values are latin1. */
  readonly rawHeaders: readonly string[]
  readonly framing: BodyFraming
  /** False when the upstream closes after this response. */
  readonly keepAlive: boolean
  /** Milliseconds the upstream keeps the connection open when idle, where its Keep-Alive header says so. */
  readonly keepAliveMs: number | undefined
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?\r\n/
/** RFC 9110 §5.1 and §5.5: a token, a colon, then anything but control characters. */
const FIELD_LINES = /(?:[!#-'*+.0-9A-Z^-z|~-]+:[\t\x20-\x7e\x80-\xff]*\r\n)*/y

/**
 * Reads a head. Throws ResponseSyntaxError.
 * @param text the head, latin1, and whatever follows it
 * @param end where the last header line's CRLF ends
 * @param bodiless whether the request's method is one whose responses have no body
 */
export function parseHead(text: string, end: number, bodiless: boolean): ResponseHead {
  const line = STATUS_LINE.exec(text)
  if (!line) throw new ResponseSyntaxError('the status line is malformed')
  const fieldsAt = line[0].length
  FIELD_LINES.lastIndex = fieldsAt
  FIELD_LINES.test(text)
  if (FIELD_LINES.lastIndex !== end) throw new ResponseSyntaxError('a header line is malformed')

  const status = Number(line[2])
  const found = new FramingHeaders(line[1] === '1')
  const rawHeaders: string[] = []
  for (let at = fieldsAt; at < end; ) {
    const lineEnd = text.indexOf('\r\n', at)
    const colon = text.indexOf(':', at)
    const name = text.slice(at, colon)
    const value = trimmed(text, colon + 1, lineEnd)
    rawHeaders.push(name, value)
    found.see(name, value)
    at = lineEnd + 2
  }
  const noBody = bodiless || status < 200 || status === 204 || status === 304
  const framing = found.framing(noBody)
  return {
    status,
    rawHeaders,
    framing,
    keepAlive: found.keepAlive && framing.by !== 'close',
    keepAliveMs: found.keepAliveMs,
  }
}

/** Optional white space around a value is not part of it (RFC 9110 §5.5). */
function trimmed(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

const isBlank = (unit: number) => unit === 0x20 || unit === 0x09

/** Picks out of a head what decides where the message and the connection end. */
class FramingHeaders {
  #length: number | undefined
  #chunked = false
  readonly #http11: boolean
  keepAlive: boolean
  keepAliveMs: number | undefined

  constructor(http11: boolean) {
    this.#http11 = http11
    this.keepAlive = http11
  }

  /** Looks at names of the right length only: four names of interest among a dozen. */
  see(name: string, value: string): void {
    if (name.length === 14 && name.toLowerCase() === 'content-length') this.#seeLength(value)
    else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') this.#seeCoding(value)
    else if (name.length === 10) this.#seeConnection(name.toLowerCase(), value.toLowerCase())
  }

  #seeLength(value: string): void {
    if (this.#length !== undefined) throw new ResponseSyntaxError('two Content-Lengths')
    if (!/^\d{1,15}$/.test(value)) throw new ResponseSyntaxError('a malformed Content-Length')
    this.#length = Number(value)
  }

  #seeCoding(value: string): void {
    if (this.#chunked || !this.#http11 || value.toLowerCase() !== 'chunked') {
      throw new ResponseSyntaxError('a Transfer-Encoding other than chunked')
    }
    this.#chunked = true
  }

  #seeConnection(name: string, value: string): void {
    if (name === 'connection') {
      const tokens = value.split(',').map((token) => token.trim())
      if (tokens.includes('close')) this.keepAlive = false
      else if (tokens.includes('keep-alive') && !this.#http11) this.keepAlive = true
    } else if (name === 'keep-alive') {
      const seconds = /(?:^|[,\s])timeout=(\d{1,6})/.exec(value)?.[1]
      if (seconds !== undefined) this.keepAliveMs = Number(seconds) * 1000
    }
  }

  framing(noBody: boolean): BodyFraming {
    if (this.#chunked && this.#length !== undefined)
      throw new ResponseSyntaxError('a Content-Length beside Transfer-Encoding')
    if (noBody) return { by: 'nothing' }
    if (this.#chunked) return { by: 'chunks' }
    return this.#length === undefined ? { by: 'close' } : { by: 'length', length: this.#length }
  }
}
