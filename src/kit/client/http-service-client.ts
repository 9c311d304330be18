import type { Clock } from '../../drivers/clock.ts'
import { type Asker, CALLER_HEADER, identityOf, LOCAL } from '../auth/asker.ts'
import type { Authority } from '../auth/authority.ts'
import type { Balancer } from '../discovery/balancer.ts'
import type { Directory } from '../discovery/directory.ts'
import { AppError } from '../errors.ts'
import { isIdempotent } from '../http/methods.ts'
import type { Log } from '../telemetry/log.ts'
import { currentScope, type Scope } from '../telemetry/scope.ts'
import type { ActiveSpan, Tracing } from '../telemetry/tracing.ts'
import type { InstanceFetch } from '../upstream/instance-fetch.ts'
import { Attempts, type Call } from './attempts.ts'
import { endCallSpan, startCallSpan } from './call-span.ts'
import { LastGood } from './last-good.ts'
import { outgoingHeaders } from './outgoing-headers.ts'
import { openStream } from './raw-call.ts'
import type { CallOptions, ServiceClient } from './service-client.ts'
import { SharedFlights } from './shared-flights.ts'
import { Targets } from './targets.ts'
import type { Transport } from './transport.ts'

/** How a role's clients behave: the config's section `client`. Defaults in parentheses are the seed's (9.7.3, 9.7.6). */
export interface ClientSettings {
  /** Milliseconds for one attempt unless a call says otherwise (5 000). */
  readonly timeout_ms: number
  /** Tries in all of a call that may be repeated (3). */
  readonly attempts: number
  /** Failures in a row that open an instance's breaker (5). */
  readonly breaker_failures: number
  /** Milliseconds a breaker stays open (60 000). */
  readonly breaker_open_ms: number
}

/** What one service's client works with. */
export interface ServiceClientOptions {
  /** The service to call, by its registered name. */
  readonly service: string
  /** The calling service's own name, for its token. */
  readonly caller: string
  /** The replica that calls, as User-Agent: by it a service tells the replicas of this machine from each other. */
  readonly agent?: string
  readonly directory: Directory
  readonly balancer: Balancer
  readonly authority: Authority
  readonly clock: Clock
  readonly log: Log
  readonly tracing: Tracing
  readonly transport: Transport
  /** What connects for raw calls. */
  readonly fetchOf: InstanceFetch
  readonly settings: ClientSettings
  /** Fires when the client is closed: ends raw calls and their streams. */
  readonly closing: AbortSignal
  /** Uniform in [0, 1), for jitter. Default `Math.random`. */
  readonly random?: () => number
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/**
 * Makes the client of one service, see ServiceClient. It opens nothing and starts no timer until it is called.
 * @example
 * const users = createServiceClient({ service: 'user-service', caller: 'order-service', directory, balancer, … })
 * const user = await users.get('/api/users/1', { cacheMs: 60_000 })
 */
export function createServiceClient(options: ServiceClientOptions): ServiceClient {
  const {
    service,
    caller,
    agent,
    authority,
    clock,
    tracing,
    transport,
    settings,
    closing,
    random = Math.random,
  } = options
  const targets = new Targets(options)
  const attempts = new Attempts({ service, targets, transport, maxAttempts: settings.attempts, clock, random })
  const lastGood = new LastGood(clock)
  const flights = new SharedFlights()

  async function headersFor(
    span: ActiveSpan,
    scope: Scope | undefined,
    waitMs?: number,
  ): Promise<Record<string, string>> {
    const headers = outgoingHeaders(span, scope, waitMs)
    if (agent !== undefined) headers['user-agent'] = agent
    if (authority.mode === 'token') {
      const token = await authority.serviceToken(caller, service, headers[CALLER_HEADER] !== undefined)
      headers.authorization = `Bearer ${token}`
    }
    return headers
  }

  /** One call in a span of its own. */
  async function send(
    method: Method,
    target: string,
    body: unknown,
    options: CallOptions,
    scope: Scope | undefined,
  ): Promise<unknown> {
    const { headers: extra, idempotencyKey, timeoutMs = settings.timeout_ms, signal } = options
    const span = startCallSpan(tracing, method, service, scope)
    const call: Call = {
      method,
      target,
      body: body === undefined ? undefined : JSON.stringify(body),
      timeoutMs,
      deadline: scope?.deadline ?? Number.POSITIVE_INFINITY,
      signal,
      repeatable: isIdempotent(method) || idempotencyKey !== undefined,
      async headers(waitMs) {
        const headers = await headersFor(span, scope, waitMs)
        if (body !== undefined) headers['content-type'] = 'application/json'
        if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey
        return extra ? Object.assign(headers, extra) : headers
      },
      attempts: 0,
      status: undefined,
    }
    try {
      const value = await attempts.run(call)
      endCallSpan(span, { ...call, service })
      return value
    } catch (fault) {
      endCallSpan(span, { ...call, service }, fault)
      throw fault
    }
  }

  async function call(method: Method, path: string, body: unknown, options: CallOptions = {}): Promise<unknown> {
    const target = withQuery(path, options.query)
    const { cacheMs, fallback, share = false, signal } = options
    const cached = method === 'GET' && cacheMs !== undefined
    const scope = currentScope()
    const key = cached || share ? keyOf(target, options.headers, scope?.asker) : ''
    try {
      const once = () => send(method, target, body, options, scope)
      const alone = !share || method !== 'GET' || signal !== undefined || standsOut(scope)
      const value = await (alone ? once() : flights.join(key, once))
      if (cached) lastGood.keep(key, value, cacheMs)
      return value
    } catch (failure) {
      if (signal?.aborted || !(failure instanceof AppError) || !CANT_ANSWER.has(failure.code)) throw failure
      const kept = cached ? lastGood.find(key) : undefined
      if (kept) return kept.value
      if (fallback) return fallback(failure)
      throw failure
    }
  }

  /** A request whose trace is kept shows its own call, and one with little time left doesn't hurry the others. */
  function standsOut(scope: Scope | undefined): boolean {
    if (!scope) return false
    return scope.span.sampled || (scope.deadline !== undefined && scope.deadline - clock.monotonic() < SHARED_LEAST_MS)
  }

  async function raw(path: string, init: Parameters<ServiceClient['raw']>[1] = {}): Promise<Response> {
    const { timeoutMs = settings.timeout_ms, signal, ...request } = init
    const scope = currentScope()
    const facts = { method: request.method ?? 'GET', service, target: path, attempts: 1 }
    const span = startCallSpan(tracing, facts.method, service, scope)
    const either = signal ? AbortSignal.any([signal, closing]) : closing
    try {
      const own = await headersFor(span, scope)
      const target = await targets.choose(timeoutMs, undefined, either)
      const response = await openStream(
        target,
        path,
        { ...request, timeoutMs, own, fetchOf: options.fetchOf, signal: either },
        service,
      )
      endCallSpan(span, { ...facts, status: response.status })
      return response
    } catch (fault) {
      endCallSpan(span, { ...facts, status: undefined }, fault)
      throw fault
    }
  }

  return {
    service,
    get: (path, options) => call('GET', path, undefined, options),
    post: (path, body, options) => call('POST', path, body, options),
    put: (path, body, options) => call('PUT', path, body, options),
    patch: (path, body, options) => call('PATCH', path, body, options),
    delete: (path, options) => call('DELETE', path, undefined, options),
    raw,
  }
}

/** Milliseconds that a caller must have left to share a request with others: it ends for all with the first one's time. */
const SHARED_LEAST_MS = 1_000
/** Codes that say the service couldn't answer, as opposed to what it answered. */
const CANT_ANSWER: ReadonlySet<string> = new Set(['UPSTREAM_FAILED', 'UPSTREAM_TIMEOUT', 'CIRCUIT_OPEN', 'UNREACHABLE'])

function withQuery(path: string, query: CallOptions['query']): string {
  if (!query) return path
  const given = Object.entries(query).filter(([, value]) => value !== undefined)
  return given.length === 0
    ? path
    : `${path}?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`
}

/** Answers may differ by who asks and with which headers, so these are part of the key. */
function keyOf(target: string, headers: CallOptions['headers'], asker: Asker = LOCAL): string {
  if (asker.is === 'local' && !headers) return target
  const { subject, scopes = [] } = identityOf(asker) ?? {}
  return JSON.stringify([target, asker.is, subject, [...scopes], headers ?? {}])
}
