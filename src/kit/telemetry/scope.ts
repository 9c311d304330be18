import { AsyncLocalStorage } from 'node:async_hooks'
import type { Asker } from '../auth/asker.ts'
import type { ActiveSpan } from './tracing.ts'

/**
 * What everything done on behalf of one request or one message shares: its trace, its deadline, who asked.
 * Logs and the service client read it through `currentScope()`, so nobody has to pass it along.
 * @example const { requestId, asker } = currentScope() ?? {}
 */
export interface Scope {
  readonly span: ActiveSpan
  readonly requestId: string
  /** Monotonic milliseconds after which nobody waits for the result any more. */
  deadline?: number
  /** Who asks; absent where nobody does, as for a message or a timer, and until it is known. */
  asker?: Asker
}

const storage = new AsyncLocalStorage<Scope>()

/**
 * The scope of the request or message being handled; undefined outside of one.
 * @example const traceId = currentScope()?.span.traceId
 */
export function currentScope(): Scope | undefined {
  return storage.getStore()
}

/** Runs `work` (and all it awaits) within a scope. */
export function runInScope<A extends unknown[], R>(scope: Scope, work: (...args: A) => R, ...args: A): R {
  return storage.run(scope, work, ...args)
}

/** Runs `work` in the same scope, but for nobody who asks: for what a service does in its own name on account of a request. */
export function runInOwnName<R>(work: () => R): R {
  const scope = storage.getStore()
  if (scope?.asker === undefined) return work()
  const { asker: _, ...own } = scope
  return storage.run(own, work)
}

/** Runs `work` outside of any scope: for background work that a request merely set off, such as shipping a batch. */
export function runOutsideScope<R>(work: () => R): R {
  return storage.exit(work)
}
