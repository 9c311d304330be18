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
  /** The words behind the status. Latin1, and perhaps empty. */
  readonly reason: string
  /** Names and values by turns, spelling and order kept. Values are latin1. */
  readonly rawHeaders: readonly string[]
  readonly framing: BodyFraming
  /** False when the upstream closes after this response. */
  readonly keepAlive: boolean
  /** Milliseconds the upstream keeps the connection open when idle, where its Keep-Alive header says so. */
  readonly keepAliveMs: number | undefined
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?\r\n/
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
  if (!line) throw headFault(text, end)
  const fieldsAt = line[0].length
  FIELD_LINES.lastIndex = fieldsAt
  FIELD_LINES.test(text)
  if (FIELD_LINES.lastIndex !== end) throw headFault(text, end)

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
    reason: line[3] ?? '',
    rawHeaders,
    framing,
    keepAlive: found.keepAlive && framing.by !== 'close',
    keepAliveMs: found.keepAliveMs,
  }
}

/**
 * Looks at what came so far of a head, so that an upstream that speaks another protocol, or ends its lines otherwise, isn't waited for. Throws
 * ResponseSyntaxError.
 * @param text latin1
 * @param seen how much of it was looked at before
 */
export function checkBeginning(text: string, seen: number): void {
  const isCut = seen < BEGINNING.length && !text.startsWith(BEGINNING) && !BEGINNING.startsWith(text)
  BARE_LF.lastIndex = seen
  if (isCut || BARE_LF.test(text)) throw headFault(text, text.length)
}

/** Says what is wrong with a head, and nothing of what stands in it. */
function headFault(text: string, end: number): ResponseSyntaxError {
  const head = text.slice(0, end)
  const fault = FAULTS.find(([pattern]) => pattern.test(head))
  const status = /^\S+ (\d{3})(?=[ \r])/.exec(head)?.[1]
  if (!fault && status !== undefined && !/^[1-5]/.test(status)) return new ResponseSyntaxError(`a status of ${status}`)
  return new ResponseSyntaxError(fault?.[1] ?? 'a malformed status line or header')
}

const BEGINNING = 'HTTP/1.'
const BARE_LF = /(?<!\r)\n/g
const FAULTS = [
  [/^(?!HTTP\/1\.[01] )/, 'not HTTP/1.1'],
  [/(?<!\r)\n/, 'a line that ends in a bare LF'],
  [/\r(?!\n)/, 'a bare CR'],
  [/\r\n[ \t]/, 'a folded header line'],
  [/[^\t\n\r -~\x80-\xff]/, 'a control character in its head'],
] as const

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
