import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AppError } from '../errors.ts'
import type { Scope } from '../telemetry/scope.ts'
import type { HeldBodies } from './held-bodies.ts'

/** One request and its answer as the outer chain and the gateway see them, on node:http level. */
export interface Exchange {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  readonly method: string
  /** The request target without its query, as it came. */
  readonly path: string
  /** Monotonic milliseconds. */
  readonly startedAt: number
  /** What counts the bodies that its role holds. */
  readonly bodies?: HeldBodies
  /** The request id given by the first layer. */
  requestId: string
  /** Its trace; set by the tracing layer. */
  scope: Scope
  /** The route's template, for metrics, spans and logs; never the raw path. `unmatched` until a route took it. */
  route: string
  /** Address of who asks, where a role finds out more than the connection tells: the gateway, behind proxies that it trusts. */
  client?: string
  /** Set by an open-ended answer, such as an event stream: that the client ends it is no fault. */
  openEnded?: boolean
  /** Set by an answer that says there is too much to do: no fault, though its status is a 5xx. */
  refused?: boolean
  /** Set by a route of the platform's own housekeeping, and for calls that only pass: no news where they go well. */
  housekeeping?: boolean
  /** Why it can't be served, whatever it asks for: the answer once it has passed the layers. The connection ends with it. */
  readonly fault: AppError | undefined
  /** Headers that every answer gets, whoever writes it. Lower-case names. */
  readonly headers: Record<string, string>
}

/**
 * One link of the outer chain: looks at a request as it comes in and, when it returns a function, at the finished answer (called once,
 * after the last byte or when the client went away). A layer that answers by itself returns `false`: nothing behind it runs.
 */
export type Layer = (exchange: Exchange) => undefined | false | ((exchange: Exchange) => void)
