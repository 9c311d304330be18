import { type AppError, toProblem } from '../errors.ts'
import { isUnread } from './body.ts'
import type { Exchange } from './exchange.ts'

/** Media type of a problem document (RFC 9457 §3). */
export const PROBLEM_TYPE = 'application/problem+json'

/**
 * Answers an exchange with an RFC 9457 problem on node:http level. An answer that has begun is cut instead, so that the client sees
 * that it isn't whole. When the request's body is still on its way, the connection is closed after the answer.
 */
export function answerProblem(exchange: Exchange, error: AppError): void {
  const { incoming, outgoing, method } = exchange
  if (outgoing.headersSent) {
    outgoing.destroy()
    return
  }
  const text = JSON.stringify(toProblem(error, exchange.scope.span.traceId))
  outgoing.writeHead(error.status, {
    'content-type': PROBLEM_TYPE,
    'content-length': Buffer.byteLength(text),
    ...error.headers,
    ...(isUnread(incoming) && { connection: 'close' }),
  })
  outgoing.end(method === 'HEAD' ? '' : text)
}
