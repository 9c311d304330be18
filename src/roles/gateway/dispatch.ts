import type { Clock } from '../../drivers/clock.ts'
import { NOBODY } from '../../kit/auth/asker.ts'
import type { Authority } from '../../kit/auth/authority.ts'
import type { RetryBudget } from '../../kit/client/retry.ts'
import type { Balancer, Pick } from '../../kit/discovery/balancer.ts'
import type { Directory, Instance } from '../../kit/discovery/directory.ts'
import { toAppError } from '../../kit/errors.ts'
import { forward, type Outcome } from '../../kit/forwarding/forward.ts'
import { publishReferences } from '../../kit/forwarding/public-references.ts'
import { awaitBody, type BodyVerdict, framingLine, type RequestBody } from '../../kit/forwarding/request-body.ts'
import { isRepeatable, mayRetry } from '../../kit/forwarding/retry-policy.ts'
import type { Exchange } from '../../kit/http/exchange.ts'
import { answerProblem } from '../../kit/http/problem.ts'
import { ABSENT } from '../../kit/roster.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import { runInScope } from '../../kit/telemetry/scope.ts'
import type { InstancePool } from '../../kit/upstream/pool.ts'
import type { ResponseHead } from '../../kit/upstream/response-head.ts'
import type { Upstreams } from '../../kit/upstream/upstreams.ts'
import type { Watchdog, Watched } from '../../kit/upstream/watchdog.ts'
import type { HeaderFilter } from './forwarded-headers.ts'
import type { GatewayMetrics } from './gateway-metrics.ts'
import { blame, errorOf, type Failure, noInstance } from './outcome-meaning.ts'
import type { RequestOrigin } from './request-origin.ts'
import type { Route } from './route-table.ts'

/** What all requests on their way to an upstream share. */
export interface DispatchTools {
  /** The gateway's own registered name. */
  readonly service: string
  readonly authority: Authority
  readonly directory: Directory
  readonly balancer: Balancer
  readonly budget: RetryBudget
  readonly upstreams: Upstreams
  readonly watchdog: Watchdog
  readonly headers: HeaderFilter
  readonly metrics: GatewayMetrics
  readonly log: Log
  readonly clock: Clock
  /** Fires when the gateway begins to stop. */
  readonly stopping: AbortSignal
}

/** An admitted request. */
export interface Dispatched {
  readonly exchange: Exchange
  readonly origin: RequestOrigin
  readonly route: Route
  /** What to ask the upstream for: path and query. */
  readonly target: string
}

/**
 * Has an admitted request answered: waits for its body, sends it to an instance, to another one where that is allowed, and
 * answers with a problem when none did. Who asks is in the exchange's scope.
 * @param caller who asks, as a number, for his share of connections (`callerNumber`)
 */
export function dispatch(tools: DispatchTools, request: Dispatched, caller: number): void {
  new Dispatch(tools, request, caller).start()
}

/** A class, since it is made for every request: one object instead of a closure for each step. */
class Dispatch implements Watched {
  readonly #tools: DispatchTools
  readonly #request: Dispatched
  readonly #caller: number
  readonly dueAt: number
  place = ABSENT
  #body: RequestBody = { kind: 'none' }
  #serviceToken: string | undefined
  #attempts = 0
  #pick: Pick | undefined
  /** Of the instance it was sent to last. */
  #basePath = ''
  /** Instances it failed on. */
  #failed: Set<Instance> | undefined

  constructor(tools: DispatchTools, request: Dispatched, caller: number) {
    this.#tools = tools
    this.#request = request
    this.#caller = caller
    const { exchange, route } = request
    this.dueAt = exchange.startedAt + route.deadline_ms
  }

  start(): void {
    const { exchange, route } = this.#request
    this.#tools.budget.deposit()
    this.#tools.watchdog.watch(this)
    awaitBody(exchange.incoming, route.body_limit, (verdict) => this.#onBody(verdict))
  }

  /** The deadline passed while the body was awaited. */
  onDue(): void {
    this.#tools.watchdog.unwatch(this)
    this.#fail({ kind: 'client-slow' })
  }

  #onBody(verdict: BodyVerdict): void {
    const { watchdog, authority, service } = this.#tools
    const { exchange, route } = this.#request
    watchdog.unwatch(this)
    if (verdict.kind === 'gone' || exchange.outgoing.destroyed || exchange.outgoing.headersSent) return
    if (verdict.kind === 'too-large') {
      this.#fail({ kind: 'body-too-large' })
      return
    }
    this.#body = verdict
    if (authority.mode === 'local') {
      this.#attempt()
      return
    }
    authority.serviceToken(service, route.upstream, true).then(
      (token) => {
        this.#serviceToken = token
        this.#attempt()
      },
      (fault: unknown) => {
        this.#report(`no token could be made for it: ${fault}`, undefined)
        answerProblem(exchange, toAppError(fault))
      },
    )
  }

  #attempt(): void {
    const { balancer, directory, upstreams, clock, watchdog, stopping } = this.#tools
    const { exchange, route } = this.#request
    if (exchange.outgoing.destroyed) return
    const pick = balancer.pick(directory.instances(route.upstream), this.#failed)
    const pool = pick && upstreams.poolOf(pick.instance)
    if (!pick || !pool) {
      pick?.done('failure')
      answerProblem(exchange, noInstance(route.upstream))
      return
    }
    this.#attempts++
    this.#pick = pick
    this.#basePath = pool.basePath
    forward({
      pool,
      outgoing: exchange.outgoing,
      method: exchange.method,
      head: this.#head(pool),
      body: this.#body,
      // a second attempt met one closing connection already
      once: this.#attempts > 1 || !isRepeatable(exchange.method, this.#body.kind, this.#hasIdempotencyKey),
      caller: this.#caller,
      bodyLimit: route.body_limit,
      deadlineAt: this.dueAt,
      silenceMs: route.upstream_timeout_ms,
      streamIdleMs: route.stream_idle_ms,
      stopping,
      headers: this.#responseHeaders,
      clock,
      watchdog,
      done: this.#onDone,
    })
  }

  #head({ authority, basePath }: InstancePool): string {
    const { headers, clock } = this.#tools
    const { exchange, origin, target } = this.#request
    const { incoming, method, requestId, scope } = exchange
    const lines = headers.request(incoming.rawHeaders, authority, {
      origin,
      requestId,
      span: scope.span,
      asker: scope.asker ?? NOBODY,
      serviceToken: this.#serviceToken,
      waitMs: Math.max(1, Math.floor(this.dueAt - clock.monotonic())),
    })
    return `${method} ${basePath}${target} HTTP/1.1\r\n${lines}${framingLine(this.#body, method)}\r\n`
  }

  readonly #responseHeaders = (head: ResponseHead, openEnded: boolean): string[] => {
    const { exchange, route } = this.#request
    if (openEnded) exchange.openEnded = true
    return publishReferences(
      this.#tools.headers.response(head.rawHeaders, exchange.headers),
      route.strip_prefix,
      this.#basePath,
    )
  }

  readonly #onDone = (outcome: Outcome): void => {
    const pick = this.#pick
    pick?.done(blame(outcome))
    if (outcome.kind === 'answered' || outcome.kind === 'client-gone' || outcome.kind === 'ended') return
    if (outcome.kind === 'cut') this.#report(outcome.cause.message, pick)
    else if (pick && this.#retries(outcome, pick)) this.#attempt()
    else this.#fail(outcome)
  }

  get #hasIdempotencyKey(): boolean {
    return this.#request.exchange.incoming.headers['idempotency-key'] !== undefined
  }

  #retries(outcome: Outcome, pick: Pick): boolean {
    const { directory, budget, metrics } = this.#tools
    const { exchange, route } = this.#request
    this.#failed ??= new Set()
    this.#failed.add(pick.instance)
    const failed = this.#failed
    const allowed = mayRetry({
      outcome,
      method: exchange.method,
      body: this.#body.kind,
      idempotencyKey: this.#hasIdempotencyKey,
      attempts: this.#attempts,
      otherInstance: directory.instances(route.upstream).some((instance) => !failed.has(instance)),
    })
    if (!allowed || !budget.withdraw()) return false
    metrics.retried(route.upstream)
    return true
  }

  #fail(outcome: Failure): void {
    const { exchange, route } = this.#request
    const error = errorOf(outcome, route)
    if (error.status >= 500)
      this.#report(error.cause instanceof Error ? error.cause.message : error.message, this.#pick)
    answerProblem(exchange, error)
  }

  /** Tells the log and the metrics what the client is not told. */
  #report(cause: string, pick: Pick | undefined): void {
    const { log, metrics } = this.#tools
    const { exchange, route } = this.#request
    metrics.failed(route.upstream)
    runInScope(exchange.scope, () => {
      log.warning(`${route.upstream} failed: ${cause}`, {
        url: pick?.instance.url,
        route: exchange.route,
        attempts: this.#attempts,
      })
    })
  }
}
