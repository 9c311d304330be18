import type { IncomingMessage } from 'node:http'
import { announcedLength } from '../http/body.ts'
import { ByteBlocks } from '../http/byte-blocks.ts'

/** A request's body as it is handed to an upstream. */
export type RequestBody =
  | { readonly kind: 'none' }
  /** All of it, at hand: small enough to be sent in one go, and again to another instance. */
  | { readonly kind: 'held'; readonly bytes: Buffer }
  /** Its beginning is at hand, the rest comes from the paused `source`. `length` is what the client announced; undefined: chunked. */
  | {
      readonly kind: 'stream'
      readonly first: Buffer
      readonly length: number | undefined
      readonly source: IncomingMessage
    }

/** What became of waiting for a body. */
export type BodyVerdict = RequestBody | { readonly kind: 'too-large' } | { readonly kind: 'gone' }

/**
 * Waits for the beginning of a body before an upstream is bothered: until it is complete, or `HELD_BYTES` came. So a slow sender
 * of a usual API request occupies no connection to a service, and its body can be sent again when an instance doesn't answer.
 * @param limit largest body in bytes
 * @param done called once; before this returns when there is no body or it is announced as too large
 */
export function awaitBody(incoming: IncomingMessage, limit: number, done: (verdict: BodyVerdict) => void): void {
  const length = announcedLength(incoming)
  if (length === 0) {
    done(NONE)
    return
  }
  if (length !== undefined && length > limit) {
    done(TOO_LARGE)
    return
  }
  const beginning = new ByteBlocks()

  const settle = (verdict: BodyVerdict) => {
    incoming.off('data', onData).off('end', onEnd).off('close', onClose)
    done(verdict)
  }
  const onData = (chunk: Buffer) => {
    beginning.push(chunk)
    if (beginning.size > limit) settle(TOO_LARGE)
    else if (beginning.size > HELD_BYTES) {
      incoming.pause()
      settle({ kind: 'stream', first: beginning.take(), length, source: incoming })
    }
  }
  const onEnd = () => settle({ kind: 'held', bytes: beginning.take() })
  const onClose = () => settle(GONE)
  incoming.on('data', onData).on('end', onEnd).on('close', onClose)
}

/** The header line that frames a body for the upstream. What the client wrote of lengths and codings never goes on. */
export function framingLine(body: RequestBody, method: string): string {
  switch (body.kind) {
    case 'none':
      return method === 'GET' || method === 'HEAD' ? '' : 'content-length: 0\r\n'
    case 'held':
      return `content-length: ${body.bytes.length}\r\n`
    case 'stream':
      return body.length === undefined ? 'transfer-encoding: chunked\r\n' : `content-length: ${body.length}\r\n`
  }
}

const NONE: RequestBody = { kind: 'none' }
const TOO_LARGE: BodyVerdict = { kind: 'too-large' }
const GONE: BodyVerdict = { kind: 'gone' }

/** A body up to this size is held; a longer one is streamed. */
const HELD_BYTES = 16_384
