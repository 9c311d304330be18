import type { Clock } from '../../../drivers/clock.ts'
import { type ExportTarget, exportPlace } from '../../../kit/config/export-target.ts'
import { printEndpoint } from '../../../kit/discovery/endpoint.ts'
import { AppError, messageOf } from '../../../kit/errors.ts'
import type { AddCheck } from '../../../kit/health-check.ts'
import type { Log } from '../../../kit/telemetry/log.ts'
import type { Metrics } from '../../../kit/telemetry/metrics.ts'
import { createShipper, type Shipper } from '../../../kit/telemetry/shipper.ts'
import type { LogRecord } from '../log-record.ts'
import type { Span } from '../span.ts'
import { type DeliveryOptions, deliver, restAskedFor } from './delivery.ts'
import { logsRequest, tracesRequest } from './otlp-request.ts'
import { zipkinRequest } from './zipkin-spans.ts'

/** Where everything is sent on to, and who is told of losses. */
export interface ExportingOptions {
  readonly targets: readonly ExportTarget[]
  readonly clock: Clock
  readonly log: Pick<Log, 'info' | 'warning'>
  readonly metrics: Metrics
  readonly check: AddCheck
}

/** Sends on what is stored, behind the back of whoever stores it. */
export interface Exporting {
  /** Queue what is stored; never throw or wait. */
  spans(spans: readonly Span[]): void
  logs(records: readonly LogRecord[]): void
  /** Sends what waits, in bounded time. */
  close(): Promise<void>
}

/** Milliseconds for which a loss is told of. */
const TOLD_MS = 60_000
/** Memory for what waits for one target, of each kind, bytes: as much as a role keeps for its log server. */
const MAX_WAITING_BYTES = 32 * 1_048_576
/** Milliseconds one request may take. */
const SEND_TIMEOUT_MS = 10_000

/**
 * Makes what sends spans to each target, and log entries to those that speak OTLP: in batches, by gzip, again after a failure, no sooner than the target
 * asks for. While it is away what waits is bounded: the oldest goes, which is counted, and told in `/health`.
 */
export function createExporting({ targets, clock, log, metrics, check }: ExportingOptions): Exporting {
  const dropped = metrics.counter({
    name: 'log_server_export_dropped_total',
    help: 'Spans and log entries that were not sent on, as their target was away too long or refused them',
    labelNames: ['target', 'kind'],
  })
  const sent = metrics.counter({
    name: 'log_server_exported_total',
    help: 'Spans and log entries sent on',
    labelNames: ['target', 'kind'],
  })
  const spanShippers: Shipper<Span>[] = []
  const logShippers: Shipper<LogRecord>[] = []
  for (const [index, target] of targets.entries()) {
    const { kind, endpoint } = exportPlace(target)
    const base = printEndpoint(endpoint)
    const name = `${kind} ${base}`
    const losses = new Losses(name, clock)
    check(`export ${index + 1}`, () => losses.check(), 'degraded')

    const shipper = <T>(what: string, to: DeliveryOptions, encode: (batch: readonly T[]) => string | Uint8Array) => {
      let isAway = false
      return createShipper<T>({
        clock,
        maxBytes: MAX_WAITING_BYTES,
        sendTimeoutMs: SEND_TIMEOUT_MS,
        async send(batch, signal) {
          try {
            await deliver(encode(batch), to, signal)
          } catch (fault) {
            if (!isAway) log.warning(`${what} can't be sent on to ${name}; trying again`, { why: messageOf(fault) })
            isAway = true
            throw fault
          }
          sent.inc({ target: name, kind: what }, batch.length)
          if (isAway) log.info(`${what} are sent on to ${name} again`)
          isAway = false
        },
        restMs: (fault) => restAskedFor(fault, clock.now()),
        onDrop(count) {
          dropped.inc({ target: name, kind: what }, count)
          losses.add(count)
        },
      })
    }
    const { headers = {} } = target
    if (kind === 'zipkin') {
      const url = base.endsWith(ZIPKIN_PATH) ? base : `${base}${ZIPKIN_PATH}`
      spanShippers.push(shipper('spans', { url, type: 'application/json', headers }, zipkinRequest))
      continue
    }
    const otlp = (path: string) => ({ url: `${base}${path}`, type: 'application/x-protobuf' as const, headers })
    spanShippers.push(shipper('spans', otlp('/v1/traces'), tracesRequest))
    logShippers.push(shipper('entries', otlp('/v1/logs'), logsRequest))
  }
  return {
    spans(spans) {
      for (const shipper of spanShippers) for (const span of spans) shipper.add(span)
    },
    logs(records) {
      for (const shipper of logShippers) for (const record of records) shipper.add(record)
    },
    async close() {
      await Promise.all([...spanShippers, ...logShippers].map((shipper) => shipper.close()))
    },
  }
}

/** Where Zipkin takes spans (its HTTP API, version 2). */
const ZIPKIN_PATH = '/api/v2/spans'

/** What a target lost, told for a minute. */
class Losses {
  readonly #target: string
  readonly #clock: Pick<Clock, 'monotonic'>
  #count = 0
  #lastAt = Number.NEGATIVE_INFINITY

  constructor(target: string, clock: Pick<Clock, 'monotonic'>) {
    this.#target = target
    this.#clock = clock
  }

  add(count: number): void {
    this.#count += count
    this.#lastAt = this.#clock.monotonic()
  }

  async check(): Promise<void> {
    if (this.#clock.monotonic() - this.#lastAt >= TOLD_MS) return
    const what = `${this.#count} spans and entries for ${this.#target} were dropped so far, the last less than a minute ago`
    throw new AppError('UNAVAILABLE', `${what}: it takes none, or not all`)
  }
}
