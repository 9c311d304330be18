import type { Clock } from '../../drivers/clock.ts'
import type { Verdict } from '../discovery/balancer.ts'
import type { Instance } from '../discovery/directory.ts'
import { AppError } from '../errors.ts'
import { pause } from '../pause.ts'
import { failureVerdict } from '../upstream/unreachable.ts'
import { readAnswer } from './answer.ts'
import { pauseBeforeRetry, RetryBudget, TryAgain } from './retry.ts'
import type { Targets } from './targets.ts'
import { type Answer, type Transport, TransportError } from './transport.ts'

/** A time-out sooner than this, as a deadline may bring about, is not held against the instance. In milliseconds. */
const FAIR_TIMEOUT_MS = 1_000
/** Statuses of a service that is not itself at the moment. */
const RETRIED_STATUSES: ReadonlySet<number> = new Set([502, 503, 504])

/** Of calls that nobody gives up. */
const NEVER = new AbortController().signal

/** One call: what to send, how long to wait, and how it went. */
export interface Call {
  readonly method: string
  /** Path and query. */
  readonly target: string
  /** JSON text. */
  readonly body: string | undefined
  /** Milliseconds for one attempt. */
  readonly timeoutMs: number
  /** Monotonic milliseconds after which nobody waits; Infinity when there is none. */
  readonly deadline: number
  readonly signal: AbortSignal | undefined
  /** May be carried out twice: an idempotent method (RFC 9110 §9.2.2), or one with an Idempotency-Key. */
  readonly repeatable: boolean
  /** Gives the headers of an attempt that waits so many milliseconds. */
  readonly headers: (waitMs: number) => Promise<Record<string, string>>
  /** Attempts made so far. */
  attempts: number
  /** Status of the last answer. */
  status: number | undefined
}

/** What a service's calls are carried out with. */
export interface AttemptsOptions {
  readonly service: string
  readonly targets: Targets
  readonly transport: Transport
  /** Tries a call has in all. */
  readonly maxAttempts: number
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
}

/**
 * Carries calls out, as often as it takes and is allowed: again after 502, 503, 504, a time-out or a broken connection when the call
 * is repeatable, and after a refused connection always, since nothing was sent. The next attempt goes to another instance
 * where there is one.
 */
export class Attempts {
  readonly #options: AttemptsOptions
  readonly #budget: RetryBudget

  constructor(options: AttemptsOptions) {
    this.#options = options
    this.#budget = new RetryBudget(options.clock)
  }

  /** The answer's value. Rejects with AppError. */
  async run(call: Call): Promise<unknown> {
    this.#budget.deposit()
    try {
      const running = this.#untilDone(call)
      return await (call.signal ? untilAborted(running, call.signal) : running)
    } catch (thrown) {
      if (call.signal?.aborted) throw this.#error('UPSTREAM_TIMEOUT', call, 'was given up', thrown)
      throw thrown instanceof TryAgain ? thrown.reason : thrown
    }
  }

  async #untilDone(call: Call): Promise<unknown> {
    const failed = new Set<Instance>()
    for (;;) {
      try {
        return await this.#attempt(call, failed)
      } catch (thrown) {
        if (!(thrown instanceof TryAgain)) throw thrown
        await pause(thrown.afterMs, call.signal ?? NEVER)
        if (call.signal?.aborted) throw thrown
      }
    }
  }

  async #attempt(call: Call, failed: Set<Instance>): Promise<unknown> {
    const { service, targets, transport, clock } = this.#options
    const until = Math.min(clock.monotonic() + call.timeoutMs, call.deadline)
    const target = await targets.choose(this.#left(call, until), failed.size > 0 ? failed : undefined, call.signal)
    call.attempts++
    let outcome: Verdict = 'cancelled'
    let answer: Answer
    try {
      const timeoutMs = this.#left(call, until)
      const headers = await call.headers(timeoutMs)
      const { method, body, signal } = call
      outcome = timeoutMs >= Math.min(FAIR_TIMEOUT_MS, call.timeoutMs) ? 'failure' : 'cancelled'
      answer = await transport.send({
        instance: target.instance,
        target: call.target,
        method,
        headers,
        body,
        timeoutMs,
        signal,
      })
      outcome = answer.status < 500 ? 'success' : 'failure'
    } catch (fault) {
      if (!(fault instanceof TransportError)) throw fault
      if (fault.fault === 'aborted') outcome = 'cancelled'
      else if (fault.fault !== 'timeout') outcome = failureVerdict(fault)
      failed.add(target.instance)
      throw this.#withoutAnswer(call, fault)
    } finally {
      target.done(outcome)
    }
    call.status = answer.status
    try {
      return readAnswer(answer, service, `${call.method} ${call.target}`)
    } catch (fault) {
      if (!call.repeatable || !RETRIED_STATUSES.has(answer.status)) throw fault
      failed.add(target.instance)
      throw this.#again(call, fault, answer.headers.get('retry-after') ?? undefined)
    }
  }

  #withoutAnswer(call: Call, fault: TransportError): unknown {
    switch (fault.fault) {
      case 'aborted':
        return this.#error('UPSTREAM_TIMEOUT', call, 'was given up', fault)
      case 'refused':
        return this.#again(call, this.#error('UPSTREAM_FAILED', call, 'found nobody listening', fault))
      case 'too-large':
        return this.#error('UPSTREAM_FAILED', call, 'brought an answer over 10 MB', fault)
      case 'timeout': {
        const error = this.#error('UPSTREAM_TIMEOUT', call, 'took too long', fault)
        return call.repeatable ? this.#again(call, error) : error
      }
      case 'broken': {
        const error = this.#error('UPSTREAM_FAILED', call, 'was cut off', fault)
        return call.repeatable ? this.#again(call, error) : error
      }
    }
  }

  /** What to throw so that the attempt is made again; the error itself when attempts, time, budget or instances are used up. */
  #again(call: Call, error: unknown, retryAfter?: string): unknown {
    const { clock, targets, maxAttempts } = this.#options
    if (call.attempts >= maxAttempts) return error
    const afterMs = pauseBeforeRetry(call.attempts, retryAfter, this.#options)
    if (afterMs === undefined || clock.monotonic() + afterMs >= call.deadline) return error
    if (!targets.any() || !this.#budget.withdraw()) return error
    return new TryAgain(error, afterMs)
  }

  /** Milliseconds until a moment. Throws AppError `UPSTREAM_TIMEOUT` when it has passed. */
  #left(call: Call, until: number): number {
    const left = until - this.#options.clock.monotonic()
    if (left <= 0) throw this.#error('UPSTREAM_TIMEOUT', call, 'had no time left')
    return left
  }

  #error(
    code: 'UPSTREAM_FAILED' | 'UPSTREAM_TIMEOUT',
    { method, target }: Call,
    what: string,
    cause?: unknown,
  ): AppError {
    return new AppError(code, `${method} ${target} of ${this.#options.service} ${what}`, { cause })
  }
}

/** Resolves as `work` does, or rejects as soon as `signal` fires. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
