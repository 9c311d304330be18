/**
 * How one call differs from the client's defaults.
 * @example await client('payment-service').post('/api/refunds', refund, { idempotencyKey: refund.id, timeoutMs: 2_000 })
 */
export interface CallOptions {
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly headers?: Readonly<Record<string, string>>
  /** Milliseconds for each attempt. Default 5 000 (the seed's). */
  readonly timeoutMs?: number
  /** Makes a POST or PATCH safe to repeat, and so retried: sent as `Idempotency-Key`. */
  readonly idempotencyKey?: string
  /** What to answer when the service can't: given the failure, it returns a value or rethrows. Default: none. */
  readonly fallback?: (failure: unknown) => unknown
  /** Keeps the last good answer of this GET this long, and gives it when the service can't answer. Default: not kept. */
  readonly cacheMs?: number
  /**
   * Lets callers who ask for the same GET at the same time, for the same asker, share one request. It starts after all of them
   * asked, so nobody gets an answer older than his question. Answers must then be left unchanged. Default false.
   */
  readonly share?: boolean
  readonly signal?: AbortSignal
}

/**
 * Calls one service by its registered name (seed 9.7.3, 9.7.6). An instance is chosen through discovery; timeout 5 s, 3 attempts with
 * jittered exponential back-off on idempotent calls, a breaker (5 failures; 60 s, or until it is ready again) per instance; trace, request id, identity and
 * deadline headers are passed on from the current scope. Bodies are JSON both ways; an empty answer, such as a 204, gives undefined.
 * Rejects with AppError: the problem's own code for 4xx answers, `UPSTREAM_FAILED`, `UPSTREAM_TIMEOUT`, `CIRCUIT_OPEN`, `UNREACHABLE`.
 * @example
 * const User = z.object({ id: z.int(), username: z.string() })
 * const { username } = User.parse(await client('user-service').get(`/api/users/${id}`, { cacheMs: 60_000 }))
 */
export interface ServiceClient {
  readonly service: string
  /** Reads; repeated when it fails. @param path from the root, without a query: that is in `options` */
  get(path: string, options?: CallOptions): Promise<unknown>
  /** Makes something; repeated only with an `idempotencyKey`, or when nothing was sent. */
  post(path: string, body?: unknown, options?: CallOptions): Promise<unknown>
  /** Replaces something; repeated when it fails. */
  put(path: string, body?: unknown, options?: CallOptions): Promise<unknown>
  /** Changes a part of something; repeated as a POST is. */
  patch(path: string, body?: unknown, options?: CallOptions): Promise<unknown>
  /** Removes something; repeated when it fails. */
  delete(path: string, options?: CallOptions): Promise<unknown>
  /** The answer as it came, body unread, no retry: for streams (SSE) and NDJSON. The caller cancels or drains the body. */
  raw(path: string, init?: RequestInit & { timeoutMs?: number }): Promise<Response>
}
