import { type Clock, systemClock } from '../../drivers/clock.ts'
import { type BackOffOptions, backOff } from '../back-off.ts'
import { messageOf } from '../errors.ts'
import { pause } from '../pause.ts'
import type { Log } from '../telemetry/log.ts'

/** Keeps a loop going through failures. */
export interface Retries {
  /** A try went well: the next failure is the first in a row again. */
  succeeded(): void
  /** Tells the log of a failure where that lasts, and waits before the next try, longer with each in a row; not at all once the signal has fired. */
  failed(fault: unknown): Promise<void>
}

/** What is tried, who hears of failures, and how long they are waited for. */
export interface RetriesOptions extends BackOffOptions {
  /** What waits, such as `Consuming order.created waits for the broker`. */
  readonly what: string
  readonly log: Pick<Log, 'debug' | 'info' | 'warning'>
  /** Goes with each line. */
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly signal: AbortSignal
  /** Default: the system's. */
  readonly clock?: Pick<Clock, 'monotonic'>
}

/** Failures that last less than this, milliseconds, are not worth a warning: who starts or restarts is there by then. */
const PATIENCE_MS = 3_000

/**
 * Makes the memory of a loop that tries, tells of its failures and waits: they are DEBUG, but for one WARNING when they have lasted for 3 s, and the INFO that
 * they are over.
 * @example
 * const retries = createRetries({ what: 'Events wait in the outbox', log, signal })
 * while (!signal.aborted) await send().then(retries.succeeded, retries.failed)
 */
export function createRetries(given: RetriesOptions): Retries {
  const { what, log, metadata, signal, clock = systemClock, ...options } = given
  let failures = 0
  let since = 0
  let isTold = false
  return {
    succeeded() {
      if (isTold) log.info(`${what} no longer, after ${Math.round((clock.monotonic() - since) / 1_000)} s`, metadata)
      failures = 0
      isTold = false
    },
    async failed(fault) {
      if (signal.aborted) return
      if (failures === 0) since = clock.monotonic()
      failures++
      const waitMs = backOff(failures, options)
      const level = !isTold && clock.monotonic() - since >= PATIENCE_MS ? 'warning' : 'debug'
      isTold ||= level === 'warning'
      log[level](`${what}: ${messageOf(fault)}`, { ...metadata, failures, retry_in_ms: Math.round(waitMs) })
      await pause(waitMs, signal)
    },
  }
}
