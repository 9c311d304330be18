import type { Layer } from '../http/exchange.ts'
import { createIdSource } from '../telemetry/ids.ts'

/** Ids that are safe to log and to pass on. */
const SAFE = /^[\w.:-]{1,128}$/

/** Where ids come from. */
export interface RequestIdOptions {
  readonly generate?: () => string
}

/** Gives each request an id, keeping the caller's when it is safe to log; every answer carries it as `X-Request-ID`. */
export function requestId({ generate = createIdSource(16) }: RequestIdOptions = {}): Layer {
  return function requestId(exchange) {
    const given = exchange.incoming.headers['x-request-id']
    exchange.requestId = typeof given === 'string' && SAFE.test(given) ? given : generate()
    exchange.headers['x-request-id'] = exchange.requestId
    return undefined
  }
}
