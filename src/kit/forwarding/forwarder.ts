import type { Exchange } from '../http/exchange.ts'
import type { ResponseHead } from '../upstream/response-head.ts'

/** Where requests go, and within which bounds: one value for all that go the same way. */
export interface Way {
  /** Registered name of the service. */
  readonly upstream: string
  /** Milliseconds until the head of the response must be there; then 504. */
  readonly deadline_ms: number
  /** Milliseconds the upstream may stay silent: until its response's first byte, and inside a body. */
  readonly upstream_timeout_ms: number
  /** The same inside an event stream or its like. Absent: for as long as it likes. */
  readonly stream_idle_ms?: number | undefined
  /** Largest request body in bytes; beyond it 413. */
  readonly body_limit: number
  /** Attempts in all, the first included. Default 3 (the seed's, 9.7.6). */
  readonly attempts?: number
  /**
   * Milliseconds for the beginning of a body, and that its sender may be silent after that: then the deadline counts from where the beginning is here, and
   * a longer body takes what it takes. Absent: the deadline holds for the body too.
   */
  readonly body_stall_ms?: number
}

/** A request that was let in and is to be passed on. Roles add what they know of it beside. */
export interface Forwarded {
  readonly exchange: Exchange
  readonly way: Way
  /** What to ask the upstream for: path and query. */
  readonly target: string
}

/** What of forwarding is a role's own: the headers both ways, and whom it tells. Called for every request, so none of it may wait. */
export interface Forwarder<R extends Forwarded> {
  /** Finds out what the request's headers need, such as a token; undefined where nothing has to be waited for. What it rejects with is the answer. */
  prepare(request: R): Promise<void> | undefined
  /**
   * The header lines for the upstream, each ending in CRLF, without the blank line and those that frame the body.
   * @param authority the upstream's `host:port`
   * @param waitMs whole milliseconds for which the answer is waited for
   */
  requestLines(request: R, authority: string, waitMs: number): string
  /**
   * The response's headers for the client, names and values by turns.
   * @param basePath what the upstream's paths begin with, and clients don't see
   */
  responseHeaders(request: R, head: ResponseHead, basePath: string): string[]
  /** An attempt failed and another one follows. */
  retried(request: R): void
  /** The upstream failed the request for good: it was answered 502, 503 or 504, or cut. */
  failed(request: R): void
}
