import { type AppError, toProblem } from '../errors.ts'
import { announcedLength } from './body.ts'
import type { Exchange } from './exchange.ts'

/** Media type of a problem document (RFC 9457 §3). */
export const PROBLEM_TYPE = 'application/problem+json'

/** Milliseconds in which the rest of a refused body is read and thrown away. */
const LINGER_MS = 1_000

/**
 * Answers an exchange with an RFC 9457 problem on node:http level. An answer that has begun is cut instead, so that the client sees
 * that it isn't whole. When the request's body is still on its way, the connection is closed after the answer, but
 * not at once: closing on bytes that arrive makes TCP reset the connection, and the client may never see what it was told. So the rest
 * is read and dropped for up to a second first (RFC 9112 §9.6).
 */
export function answerProblem(exchange: Exchange, error: AppError): void {
  const { incoming, outgoing, method } = exchange
  if (outgoing.headersSent) {
    outgoing.destroy()
    return
  }
  const unread = !incoming.complete && !incoming.destroyed && announcedLength(incoming) !== 0
  const text = JSON.stringify(toProblem(error, exchange.scope.span.traceId))
  outgoing.writeHead(error.status, {
    'content-type': PROBLEM_TYPE,
    'content-length': Buffer.byteLength(text),
    ...error.headers,
    ...(unread && { connection: 'close' }),
  })
  const body = method === 'HEAD' ? '' : text
  if (unread) endAfterReading(exchange, body)
  else outgoing.end(body)
}

function endAfterReading({ incoming, outgoing }: Exchange, body: string): void {
  const end = () => {
    clearTimeout(timer)
    outgoing.end()
  }
  const timer = setTimeout(end, LINGER_MS)
  outgoing.write(body)
  outgoing.flushHeaders()
  // node holds the first write back for a tick; if what follows on the connection is no HTTP, it is destroyed before that
  outgoing.socket?.uncork()
  incoming.once('end', end).once('close', end).resume()
}
