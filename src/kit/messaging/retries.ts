import { type BackOffOptions, backOff } from '../back-off.ts'
import { messageOf } from '../errors.ts'
import { pause } from '../pause.ts'
import type { Log } from '../telemetry/log.ts'

/** Keeps a loop going through failures. */
export interface Retries {
  /** A try went well: the next failure is the first in a row again. */
  succeeded(): void
  /** Tells the log of a failure, and waits before the next try, longer with each in a row; not at all once the signal has fired. */
  failed(fault: unknown): Promise<void>
}

/** What is tried, who hears of failures, and how long they are waited for. */
export interface RetriesOptions extends BackOffOptions {
  /** What waits, such as `Consuming order.created waits for the broker`. */
  readonly what: string
  readonly log: Pick<Log, 'warning'>
  /** Goes with each line. */
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly signal: AbortSignal
}

/**
 * Makes the memory of a loop that tries, tells of its failures and waits.
 * @example
 * const retries = createRetries({ what: 'Events wait in the outbox', log, signal })
 * while (!signal.aborted) await send().then(retries.succeeded, retries.failed)
 */
export function createRetries({ what, log, metadata, signal, ...options }: RetriesOptions): Retries {
  let failures = 0
  return {
    succeeded() {
      failures = 0
    },
    async failed(fault) {
      if (signal.aborted) return
      failures++
      const waitMs = backOff(failures, options)
      log.warning(`${what}: ${messageOf(fault)}`, { ...metadata, failures, retry_in_ms: Math.round(waitMs) })
      await pause(waitMs, signal)
    },
  }
}
