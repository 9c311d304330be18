import type { IncomingMessage } from 'node:http'
import { AppError } from '../errors.ts'
import { framingFault } from './framing.ts'
import { HTTP_METHODS } from './methods.ts'

/** What a role may be asked to do, as an Allow header says it. */
export const METHODS = HTTP_METHODS.join(', ')

/**
 * Why a request isn't looked at whatever it asks for, since nobody can be sure of what it is or where it ends; undefined when it is a good one.
 * @param maxFields most header fields
 */
export function unservable(request: IncomingMessage, maxFields: number): AppError | undefined {
  if (request.rawHeaders.length > maxFields * 2) {
    return new AppError('HEADERS_TOO_LARGE', `The request has more than ${maxFields} header fields`)
  }
  const fault = framingFault(request)
  return fault && new AppError(fault.status === 501 ? 'NOT_IMPLEMENTED' : 'INVALID_REQUEST', fault.reason)
}

/**
 * What to say to a client whose connection failed before there was a request. `surplus`: nothing, since it sent more behind a request that it had
 * called its last. `reset`: nothing, since nobody is left.
 * @param cause as node's server tells it: its parser's errors begin with `HPE_`
 */
export function malformedness(cause: Error): AppError | 'surplus' | 'reset' {
  const code = 'code' in cause ? String(cause.code) : ''
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new AppError('REQUEST_TIMEOUT', 'The request did not come to its end in time', { cause })
    case 'HPE_HEADER_OVERFLOW':
      return new AppError('HEADERS_TOO_LARGE', 'The head of the request is too large', { cause })
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new AppError('BODY_TOO_LARGE', 'The chunk extensions are too large', { cause })
    case 'HPE_CLOSED_CONNECTION':
      return 'surplus'
  }
  if (!code.startsWith('HPE_')) return 'reset'
  const reason = 'reason' in cause ? String(cause.reason) : cause.message
  return new AppError('INVALID_REQUEST', 'This is not HTTP/1.1', { cause, detail: `This is not HTTP/1.1: ${reason}` })
}
