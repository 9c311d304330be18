import type { Clock } from '../../drivers/clock.ts'
import type { Authority } from '../../kit/auth/authority.ts'
import { AppError } from '../../kit/errors.ts'
import { nodeCall } from '../../kit/http/node-call.ts'
import type { LogEntry, LogSink } from '../../kit/telemetry/log.ts'
import { createShipper, type Shipper } from '../../kit/telemetry/shipper.ts'
import { UNTRACED } from '../../kit/telemetry/trace-context.ts'

/** Where entries of users' services go. */
export interface ServiceEntriesOptions {
  /** The log server's address; undefined where there is none. */
  readonly url: string | undefined
  readonly authority: Pick<Authority, 'mode' | 'serviceToken'>
  readonly clock: Clock
  /** Told how many were dropped, and of which service. */
  readonly onDrop: (service: string, count: number) => void
}

/** What users' services write, on its way to the log server. */
export interface ServiceEntries {
  /** Takes entries of one service. */
  sinkOf(service: string): LogSink
  /** Sends what waits, within a bounded time, and ends. */
  close(): Promise<void>
}

const LOG_SERVER = 'log-server'
/** Marked as not to be traced: it would tell of itself without end. */
const HEADERS = {
  'content-type': 'application/json',
  traceparent: UNTRACED,
}

/** Ships the entries of each service in its own name, bounded while the log server is away. */
export function createServiceEntries({ url, authority, clock, onDrop }: ServiceEntriesOptions): ServiceEntries {
  const shippers = new Map<string, Shipper<LogEntry>>()

  async function post(service: string, batch: readonly LogEntry[], signal: AbortSignal): Promise<void> {
    const token = authority.mode === 'token' ? await authority.serviceToken(service, LOG_SERVER) : undefined
    const answer = await nodeCall(`${url}/logs`, {
      method: 'POST',
      headers: { ...HEADERS, ...(token !== undefined && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify(batch),
      signal,
    })
    answer.cancel()
    if (answer.ok) return
    const code = answer.status === 400 || answer.status === 413 ? 'INVALID_BODY' : 'UPSTREAM_FAILED'
    throw new AppError(code, `log-server answered ${answer.status}`)
  }

  return {
    sinkOf(service) {
      if (url === undefined) return () => {}
      const shipper =
        shippers.get(service) ??
        createShipper<LogEntry>({
          clock,
          send: (batch, signal) => post(service, batch, signal),
          onDrop: (count) => onDrop(service, count),
        })
      shippers.set(service, shipper)
      return (entry) => shipper.add(entry)
    },
    async close() {
      await Promise.all([...shippers.values()].map((shipper) => shipper.close()))
    },
  }
}
