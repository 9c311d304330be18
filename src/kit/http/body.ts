import type { IncomingMessage } from 'node:http'
import { createGunzip } from 'node:zlib'
import type { Context } from 'hono'
import { AppError } from '../errors.ts'
import { endOfString, parseExact } from '../exact-json.ts'
import type { AppEnv } from './app-env.ts'
import { ByteBlocks } from './byte-blocks.ts'
import type { Exchange } from './exchange.ts'
import { inGreedyTurn } from './greedy-turns.ts'
import { type HeldBody, UNCOUNTED_BYTES } from './held-bodies.ts'

/** Largest request body in bytes unless a route says otherwise (1 MiB). */
export const MAX_BODY_BYTES = 1_048_576
/** What is made of a body from this size on takes milliseconds: they come to it one in a turn. */
const LARGE_BYTES = 131_072
/** What inflating a body takes besides its bytes: zlib's window and state (zlib.h: some 44 KB), and a chunk. */
const INFLATER_BYTES = 65_536
/** RFC 9110 §8.4.1.3: the second is the first's old name. */
const GZIP = /^(?:x-)?gzip$/i
/** Deepest nesting of a JSON document that is parsed. */
const MAX_JSON_DEPTH = 64
/**
 * Most values in a JSON document: `{}`, three bytes with its comma, takes 56 in memory, and 100 000 of them 5 ms in which nobody else is answered.
 * Bodies of more, such as 10 000 log entries of 20 fields, are batches, whose items are documents of their own.
 */
const MAX_JSON_VALUES = 100_000
/** Most keys in it: an object of so many is made in 20 ms, of 90 000 in 100. */
const MAX_JSON_KEYS = 20_000

/**
 * Reads a request's whole body, at most `maxBytes`. Throws AppError `BODY_TOO_LARGE` as soon as the limit is passed,
 * `INVALID_BODY` when the client goes away before the end, `UNAVAILABLE` when a role holds too many (held-bodies.ts), and `UNSUPPORTED_MEDIA_TYPE`
 * for one that is compressed otherwise than by gzip. The limit is for what comes and for what it becomes.
 */
export async function readBody(c: Context<AppEnv>, maxBytes = MAX_BODY_BYTES): Promise<Buffer> {
  const exchange = c.env?.exchange
  if (exchange) {
    // asking the web Request for a header would have it build them all
    const { headers } = exchange.incoming
    checkHead(headers['content-encoding'], headers['content-length'], maxBytes)
    return readIncoming(exchange, maxBytes)
  }
  checkHead(c.req.header('content-encoding'), c.req.header('content-length'), maxBytes)
  const body = Buffer.from(await c.req.arrayBuffer())
  if (body.length > maxBytes) throw tooLarge(maxBytes)
  return body
}

function checkHead(encoding: string | undefined, length: string | undefined, maxBytes: number): void {
  if (encoding !== undefined && encoding !== 'identity' && !GZIP.test(encoding)) {
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'Bodies are compressed by gzip, or not at all', {
      detail: `Send the body by gzip or as it is, not with Content-Encoding: ${encoding}`,
      // RFC 9110 §12.5.3
      headers: { 'accept-encoding': 'gzip, identity' },
    })
  }
  if (Number(length ?? 0) > maxBytes) throw tooLarge(maxBytes)
}

/** Reads straight from the socket's stream: a web Request around it would cost several times as much. */
function readIncoming({ incoming, outgoing, bodies }: Exchange, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const gunzip = GZIP.test(incoming.headers['content-encoding'] ?? '') ? createGunzip() : undefined
    const source = gunzip ?? incoming
    const besides = gunzip ? INFLATER_BYTES : 0
    const body = new ByteBlocks(gunzip ? undefined : announcedLength(incoming))
    let size = 0
    let isGivenUp = false
    let held: HeldBody | undefined
    const giveUp = (fault: AppError) => {
      isGivenUp = true
      body.take()
      if (gunzip) incoming.unpipe(gunzip).resume()
      gunzip?.destroy()
      reject(fault)
    }
    const hold = () => {
      const opened = bodies?.open(giveUp)
      outgoing.once('close', () => opened?.close())
      return opened
    }
    if (gunzip) {
      // zlib's state is there from the beginning, whether anything comes or not
      held = hold()
      held?.grow(besides)
    }
    source.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (isGivenUp) return
      if (size > maxBytes) {
        held?.close()
        giveUp(tooLarge(maxBytes))
        return
      }
      body.push(chunk)
      if (size + besides <= UNCOUNTED_BYTES) return
      held ??= hold()
      held?.grow(size + besides)
    })
    source.on('end', () => {
      held?.arrive()
      if (size < LARGE_BYTES) resolve(body.take())
      else
        inGreedyTurn(() => {
          resolve(body.take())
          return true
        })
    })
    const cutOff = (cause?: Error) => {
      gunzip?.destroy()
      reject(new AppError('INVALID_BODY', 'The body was cut off', { cause }))
    }
    incoming.on('error', cutOff)
    incoming.on('close', () => {
      if (!incoming.readableEnded) cutOff()
    })
    if (!gunzip) return
    gunzip.on('error', (cause) => {
      held?.close()
      giveUp(new AppError('INVALID_BODY', 'The body is no gzip, or its end is missing', { cause }))
    })
    let packed = 0
    incoming.on('data', (chunk: Buffer) => {
      packed += chunk.length
      if (packed <= maxBytes || isGivenUp) return
      held?.close()
      giveUp(tooLarge(maxBytes))
    })
    incoming.pipe(gunzip)
  })
}

function tooLarge(maxBytes: number): AppError {
  return new AppError('BODY_TOO_LARGE', `The body is larger than ${maxBytes} bytes`)
}

/** Length a request's body was announced with; undefined for chunks. Zero: no body (RFC 9112 §6.3). */
export function announcedLength(incoming: IncomingMessage): number | undefined {
  if (incoming.headers['transfer-encoding'] !== undefined) return undefined
  const length = incoming.headers['content-length']
  return length === undefined ? 0 : Number(length)
}

/** Whether a part of a request's body is still to come. */
export function isUnread(incoming: IncomingMessage): boolean {
  return !incoming.complete && !incoming.destroyed && announcedLength(incoming) !== 0
}

const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * Parses untrusted bytes as one JSON document. Throws AppError `INVALID_BODY` for invalid UTF-8, malformed JSON, nesting deeper
 * than MAX_JSON_DEPTH, more values than MAX_JSON_VALUES or keys than MAX_JSON_KEYS, and lone surrogates (which no database stores faithfully).
 * Numbers that a double doesn't hold are RawNumbers (exact-json.ts).
 */
export function parseJson(bytes: Uint8Array): unknown {
  return parseJsonText(bodyText(bytes))
}

/** The text of untrusted bytes. Throws AppError `INVALID_BODY` for invalid UTF-8. */
export function bodyText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    throw new AppError('INVALID_BODY', 'The body is not valid UTF-8', { cause })
  }
}

/** The same for text that is already decoded, such as one line of NDJSON. @param maxKeys default 20 000 */
export function parseJsonText(text: string, maxKeys = MAX_JSON_KEYS): unknown {
  checkShape(text, maxKeys)
  let value: unknown
  try {
    value = parseExact(text)
  } catch (cause) {
    throw new AppError(
      'INVALID_BODY',
      text.trim() === '' ? 'The body is empty; JSON was expected' : 'The body is not valid JSON',
      { cause },
    )
  }
  // JSON.stringify escapes exactly the surrogates that stand alone
  if (SURROGATE_ESCAPE.test(text) && LONE_SURROGATE.test(JSON.stringify(value))) {
    throw new AppError('INVALID_BODY', 'The body holds half of a surrogate pair, which is no character')
  }
  return value
}

const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/
const LONE_SURROGATE = /(?:^|[^\\])(?:\\\\)*\\ud[89a-f]/

/** Bounds what JSON.parse will make of a text, by the brackets, commas and colons outside strings: it recurses, and builds all before it can be asked. */
function checkShape(text: string, maxKeys: number): void {
  let depth = 0
  let values = 1
  let keys = 0
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit === QUOTE) at = endOfString(text, at)
    else if (unit === CLOSE_BRACE || unit === CLOSE_BRACKET) depth--
    else if (unit === COLON) {
      if (++keys > maxKeys) throw new AppError('BODY_TOO_LARGE', `The body holds more than ${maxKeys} keys`)
    } else if (unit === COMMA || unit === OPEN_BRACE || unit === OPEN_BRACKET) {
      if (++values > MAX_JSON_VALUES)
        throw new AppError('BODY_TOO_LARGE', `The body holds more than ${MAX_JSON_VALUES} values; send several`)
      if (unit !== COMMA && ++depth > MAX_JSON_DEPTH)
        throw new AppError('INVALID_BODY', `The body is nested deeper than ${MAX_JSON_DEPTH} levels`)
    }
  }
}

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
