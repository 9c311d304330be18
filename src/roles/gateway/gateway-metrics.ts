import type { Metrics } from '../../kit/telemetry/metrics.ts'

/** What the gateway counts beside the chain's `http_*` metrics. */
export interface GatewayMetrics {
  /** An attempt failed and another one follows. */
  retried(upstream: string): void
  /** An upstream failed a request for good: it was answered 502, 503 or 504, or cut. */
  failed(upstream: string): void
  /** A request was over its limit. @param route the route's prefix */
  limited(route: string): void
  /** A request was judged by this gateway's own share of a limit, since the cache did not answer. */
  limitedLocally(): void
}

/** Registers the gateway's counters. */
export function gatewayMetrics(metrics: Metrics): GatewayMetrics {
  const retries = metrics.counter({
    name: 'gateway_retries_total',
    help: 'Requests sent once more after a failed attempt',
    labelNames: ['upstream'],
  })
  const failures = metrics.counter({
    name: 'gateway_upstream_failures_total',
    help: 'Requests an upstream failed for good',
    labelNames: ['upstream'],
  })
  const limited = metrics.counter({
    name: 'gateway_rate_limited_total',
    help: 'Requests refused for being over their limit',
    labelNames: ['route'],
  })
  const local = metrics.counter({
    name: 'gateway_limited_locally_total',
    help: "Requests judged by this gateway's own share of a limit, as the cache did not answer",
    labelNames: [],
  })
  return {
    retried: (upstream) => retries.inc({ upstream }),
    failed: (upstream) => failures.inc({ upstream }),
    limited: (route) => limited.inc({ route }),
    limitedLocally: () => local.inc(),
  }
}
