import type { Clock } from '../../drivers/clock.ts'
import type { RetryBudget } from '../client/retry.ts'
import type { Balancer, Pick } from '../discovery/balancer.ts'
import type { Directory, Instance } from '../discovery/directory.ts'
import { toAppError } from '../errors.ts'
import { answerProblem } from '../http/problem.ts'
import { ABSENT } from '../roster.ts'
import type { Log } from '../telemetry/log.ts'
import { runInScope } from '../telemetry/scope.ts'
import type { InstancePool } from '../upstream/pool.ts'
import type { ResponseHead } from '../upstream/response-head.ts'
import type { Upstreams } from '../upstream/upstreams.ts'
import type { Watchdog, Watched } from '../upstream/watchdog.ts'
import { forward, type Outcome } from './forward.ts'
import type { Forwarded, Forwarder } from './forwarder.ts'
import { blame, errorOf, type Failure, heldBack, noInstance } from './outcome-meaning.ts'
import { awaitBody, type BodyVerdict, framingLine, type RequestBody } from './request-body.ts'
import { isRepeatable, mayRetry } from './retry-policy.ts'

/** What all requests on their way to an upstream share. */
export interface DispatchTools<R extends Forwarded> {
  readonly forwarder: Forwarder<R>
  readonly directory: Directory
  readonly balancer: Balancer
  readonly budget: RetryBudget
  readonly upstreams: Upstreams
  readonly watchdog: Watchdog
  readonly log: Log
  readonly clock: Clock
  /** Fires when the role begins to stop. */
  readonly stopping: AbortSignal
}

/**
 * Has a request answered that was let in: waits for its body, sends it to an instance, to another one where that is allowed, and
 * answers with a problem when none did. Who asks is in the exchange's scope.
 * @param caller who asks, as a number, for his share of connections (`callerNumber`)
 */
export function dispatch<R extends Forwarded>(tools: DispatchTools<R>, request: R, caller: number): void {
  new Dispatch(tools, request, caller).start()
}

/** Attempts in all, the first included (the seed's, 9.7.6). */
const MAX_ATTEMPTS = 3

/** A class, since it is made for every request: one object instead of a closure for each step. */
class Dispatch<R extends Forwarded> implements Watched {
  readonly #tools: DispatchTools<R>
  readonly #request: R
  readonly #caller: number
  dueAt: number
  place = ABSENT
  #body: RequestBody = { kind: 'none' }
  #attempts = 0
  #pick: Pick | undefined
  /** Of the instance it was sent to last. */
  #basePath = ''
  /** Instances it failed on. */
  #failed: Set<Instance> | undefined

  constructor(tools: DispatchTools<R>, request: R, caller: number) {
    this.#tools = tools
    this.#request = request
    this.#caller = caller
    const { exchange, way } = request
    this.dueAt = exchange.startedAt + (way.body_stall_ms ?? way.deadline_ms)
  }

  start(): void {
    const { exchange, way } = this.#request
    this.#tools.budget.deposit()
    this.#tools.watchdog.watch(this)
    awaitBody(exchange.incoming, way.body_limit, (verdict) => this.#onBody(verdict))
  }

  /** The deadline passed while the body was awaited. */
  onDue(): void {
    this.#tools.watchdog.unwatch(this)
    this.#fail({ kind: 'client-slow' })
  }

  #onBody(verdict: BodyVerdict): void {
    const { watchdog, forwarder, clock } = this.#tools
    const { exchange, way } = this.#request
    watchdog.unwatch(this)
    if (verdict.kind === 'gone' || exchange.outgoing.destroyed || exchange.outgoing.headersSent) return
    if (verdict.kind === 'too-large') {
      this.#fail({ kind: 'body-too-large' })
      return
    }
    this.#body = verdict
    // the time that the body took was its sender's
    if (way.body_stall_ms !== undefined) this.dueAt = clock.monotonic() + way.deadline_ms
    const preparing = forwarder.prepare(this.#request)
    if (preparing) this.#await(preparing)
    else this.#attempt()
  }

  #await(preparing: Promise<void>): void {
    preparing.then(
      () => this.#attempt(),
      (fault: unknown) => {
        this.#report(`nothing could be sent: ${fault}`, undefined)
        answerProblem(this.#request.exchange, toAppError(fault))
      },
    )
  }

  #attempt(): void {
    const { balancer, directory, upstreams, clock, watchdog, stopping } = this.#tools
    const { exchange, way } = this.#request
    if (exchange.outgoing.destroyed) return
    const instances = directory.instances(way.upstream)
    const pick = balancer.pick(instances, this.#failed)
    const pool = pick && upstreams.poolOf(pick.instance)
    if (!pick || !pool) {
      pick?.done('failure')
      const why = pick || instances.length === 0 ? noInstance : heldBack
      answerProblem(exchange, why(way.upstream))
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
      // a second attempt met one closing connection already, and a last one may not meet any
      once:
        this.#attempts > 1 ||
        this.#most === 1 ||
        !isRepeatable(exchange.method, this.#body.kind, this.#hasIdempotencyKey),
      caller: this.#caller,
      bodyLimit: way.body_limit,
      deadlineAt: this.dueAt,
      silenceMs: way.upstream_timeout_ms,
      streamIdleMs: way.stream_idle_ms,
      uploadStallMs: way.body_stall_ms,
      stopping,
      headers: this.#responseHeaders,
      clock,
      watchdog,
      done: this.#onDone,
    })
  }

  #head({ authority, basePath }: InstancePool): string {
    const { forwarder, clock } = this.#tools
    const { exchange, target } = this.#request
    const waitMs = Math.max(1, Math.floor(this.dueAt - clock.monotonic()))
    const lines = forwarder.requestLines(this.#request, authority, waitMs)
    return `${exchange.method} ${basePath}${target} HTTP/1.1\r\n${lines}${framingLine(this.#body, exchange.method)}\r\n`
  }

  readonly #responseHeaders = (head: ResponseHead, openEnded: boolean): string[] => {
    if (openEnded) this.#request.exchange.openEnded = true
    return this.#tools.forwarder.responseHeaders(this.#request, head, this.#basePath)
  }

  readonly #onDone = (outcome: Outcome): void => {
    const pick = this.#pick
    pick?.done(blame(outcome))
    if (outcome.kind === 'answered' || outcome.kind === 'client-gone' || outcome.kind === 'ended') return
    if (outcome.kind === 'cut') this.#report(outcome.cause.message, pick)
    else if (pick && this.#retries(outcome, pick)) this.#attempt()
    else this.#fail(outcome)
  }

  get #most(): number {
    return this.#request.way.attempts ?? MAX_ATTEMPTS
  }

  get #hasIdempotencyKey(): boolean {
    return this.#request.exchange.incoming.headers['idempotency-key'] !== undefined
  }

  #retries(outcome: Outcome, pick: Pick): boolean {
    const { directory, budget, forwarder } = this.#tools
    const { exchange, way } = this.#request
    this.#failed ??= new Set()
    this.#failed.add(pick.instance)
    const failed = this.#failed
    const allowed = mayRetry({
      outcome,
      method: exchange.method,
      body: this.#body.kind,
      idempotencyKey: this.#hasIdempotencyKey,
      attempts: this.#attempts,
      most: this.#most,
      otherInstance: directory.instances(way.upstream).some((instance) => !failed.has(instance)),
    })
    if (!allowed || !budget.withdraw()) return false
    forwarder.retried(this.#request)
    exchange.scope.span.setAttribute('http.request.resend_count', this.#attempts)
    return true
  }

  #fail(outcome: Failure): void {
    const { exchange, way } = this.#request
    const error = errorOf(outcome, way)
    if (error.status >= 500)
      this.#report(error.cause instanceof Error ? error.cause.message : error.message, this.#pick)
    answerProblem(exchange, error)
  }

  /** Tells the log and the metrics what the client is not told. */
  #report(cause: string, pick: Pick | undefined): void {
    const { log, forwarder } = this.#tools
    const { exchange, way } = this.#request
    forwarder.failed(this.#request)
    runInScope(exchange.scope, () => {
      log.warning(`${way.upstream} failed: ${cause}`, {
        url: pick?.instance.url,
        route: exchange.route,
        attempts: this.#attempts,
      })
    })
  }
}
