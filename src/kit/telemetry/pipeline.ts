import type { Clock } from '../../drivers/clock.ts'
import { AppError } from '../errors.ts'
import type { Level, Log, LogEntry, LogSink } from './log.ts'
import { createLog } from './logger.ts'
import type { Metrics } from './metrics.ts'
import { runOutsideScope } from './scope.ts'
import { createShipper, type Shipper } from './shipper.ts'
import { createTracing } from './tracer.ts'
import type { SpanRecord, Tracing } from './tracing.ts'

/** Who tells of himself, how much, and how it gets to the log server. */
export interface PipelineOptions {
  readonly service: string
  readonly instance: string
  readonly clock: Clock
  readonly level: Level
  readonly tracesPerSecond: number
  readonly metrics: Metrics
  /** Where entries go besides the log server, such as the terminal. */
  readonly sinks: readonly LogSink[]
  /** Whether entries go to the log server; false where whoever reads a sink sends them. Default true. */
  readonly shipsEntries?: boolean
  /** Posts a batch to a path of the log server. */
  readonly post: (path: string, batch: readonly unknown[], signal: AbortSignal) => Promise<void>
}

/** A role's log and tracing, both on their way to the log server. */
export interface Pipeline {
  readonly log: Log
  readonly tracing: Tracing
  /** Resolves unless something was lost within the last minute; for health. */
  check(): Promise<void>
  /** Sends what waits, within a bounded time, and ends. */
  close(): Promise<void>
}

/** Milliseconds for which a loss is told of. */
const TOLD_MS = 60_000

/** Joins log and tracing to the log server by two bounded shippers; what they had to drop is counted in `telemetry_dropped_total`. */
export function createPipeline(options: PipelineOptions): Pipeline {
  const { service, instance, clock, level, sinks, shipsEntries = true, tracesPerSecond, metrics, post } = options
  const dropped = metrics.counter({
    name: 'telemetry_dropped_total',
    help: 'Log entries and spans dropped because the log server was away too long',
    labelNames: ['kind'],
  })
  let lost = 0
  let lostAt = Number.NEGATIVE_INFINITY
  const note = () => {
    const now = entries.dropped + spans.dropped
    if (now > lost) lostAt = clock.monotonic()
    lost = now
  }
  const shipper = <T>(kind: string, path: string): Shipper<T> =>
    createShipper<T>({
      clock,
      send: (batch, signal) => runOutsideScope(() => post(path, batch, signal)),
      onDrop(count) {
        dropped.inc({ kind }, count)
        note()
      },
    })
  const entries = shipper<LogEntry>('log', '/logs')
  const spans = shipper<SpanRecord>('span', '/traces')
  const shipped: readonly LogSink[] = shipsEntries ? [(entry) => entries.add(entry)] : []
  const log = createLog({ service, instance, clock, level, sinks: [...sinks, ...shipped] })
  const tracing = createTracing({
    service,
    instance,
    clock,
    tracesPerSecond,
    ship: (span) => spans.add(span),
    flush: () => spans.flush(),
  })
  return {
    log,
    tracing,
    async check() {
      note()
      if (clock.monotonic() - lostAt >= TOLD_MS) return
      throw new AppError(
        'UNAVAILABLE',
        `${lost} log entries and spans were dropped so far, the last less than a minute ago: the log server takes none, or not all`,
      )
    },
    async close() {
      await Promise.all([entries.close(), spans.close()])
    },
  }
}
