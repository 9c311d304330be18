import { type AppError, toProblem } from '../errors.ts'
import type { Exchange } from './exchange.ts'

export const PROBLEM_TYPE = 'application/problem+json'

/**
 * Answers an exchange with an RFC 9457 problem on node:http level. When the answer has begun already, the connection is cut
 * instead, so that the client sees that it isn't whole.
 */
export function answerProblem(exchange: Exchange, error: AppError): void {
  const { outgoing, incoming } = exchange
  if (outgoing.headersSent) {
    outgoing.destroy()
    return
  }
  const body = JSON.stringify(toProblem(error, exchange.scope.span.traceId))
  // what is left of the request's body is not read: the connection can't be used again
  const unread = incoming.complete ? undefined : { connection: 'close' }
  outgoing.writeHead(error.status, {
    'content-type': PROBLEM_TYPE,
    'content-length': Buffer.byteLength(body),
    ...unread,
    ...error.headers,
  })
  outgoing.end(exchange.method === 'HEAD' ? undefined : body)
}
