import type { Metrics } from '../../kit/telemetry/metrics.ts'
import type { Door } from './config.ts'

/** What is counted beside the chain's `http_*` metrics. */
export interface OutboundMetrics {
  /** An attempt failed and another one follows. */
  retried(door: Door): void
  /** The upstream failed a request for good: it was answered 502, 503 or 504, or cut. */
  failed(door: Door): void
}

/** Registers the counters. */
export function outboundMetrics(metrics: Metrics): OutboundMetrics {
  const labelNames = ['caller', 'upstream'] as const
  const retries = metrics.counter({
    name: 'outbound_retries_total',
    help: 'Calls sent once more after a failed attempt',
    labelNames,
  })
  const failures = metrics.counter({
    name: 'outbound_upstream_failures_total',
    help: 'Calls an upstream failed for good',
    labelNames,
  })
  return {
    retried: ({ caller, upstream }) => retries.inc({ caller, upstream }),
    failed: ({ caller, upstream }) => failures.inc({ caller, upstream }),
  }
}
