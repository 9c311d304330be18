import type { Counter, Histogram } from 'prom-client'
import type { Clock } from '../../drivers/clock.ts'
import type { Exchange, Layer } from '../http/exchange.ts'
import type { Metrics } from '../telemetry/metrics.ts'

/** Most series of routes by name: with those of the rest, by method and class of status, a metric has at most 2 000. */
const MAX_NAMED_SERIES = 1_900
const REST = 'other'

/** Where requests are counted, and what they are timed with. */
export interface MetricsLayerOptions {
  readonly metrics: Metrics
  readonly clock: Pick<Clock, 'monotonic'>
}

interface Series {
  readonly requests: ReturnType<Counter['labels']>
  readonly errors: ReturnType<Counter['labels']> | undefined
  readonly duration: ReturnType<Histogram['labels']>
}

/**
 * Counts and times requests by method, route template and status (seed 9.7.11): `http_requests_total`, `http_errors_total`,
 * `http_requests_active`, `http_request_duration_seconds`. A series is looked up once and then kept, so that a request costs no label hashing.
 */
export function metrics({ metrics, clock }: MetricsLayerOptions): Layer {
  const labelNames = ['method', 'route', 'status'] as const
  const requests = metrics.counter({ name: 'http_requests_total', help: 'HTTP requests answered', labelNames })
  const errors = metrics.counter({
    name: 'http_errors_total',
    help: 'HTTP requests answered with a 5xx status',
    labelNames,
  })
  const active = metrics.gauge({ name: 'http_requests_active', help: 'HTTP requests being answered now' })
  const duration = metrics.histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the request head to the end of the answer',
    labelNames,
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  })
  const known = new Map<string, Series>()
  const activeNow = active.labels()

  function seriesOf(method: string, route: string, status: number): Series {
    const key = `${method} ${route} ${status}`
    const found = known.get(key)
    if (found) return found
    if (known.size >= MAX_NAMED_SERIES && route !== REST) return seriesOf(method, REST, status - (status % 100))
    const labels = { method, route, status }
    const series = {
      requests: requests.labels(labels),
      errors: status >= 500 ? errors.labels(labels) : undefined,
      duration: duration.labels(labels),
    }
    known.set(key, series)
    return series
  }

  function observe(exchange: Exchange) {
    const series = seriesOf(knownMethod(exchange.method), exchange.route, exchange.outgoing.statusCode)
    series.requests.inc()
    series.errors?.inc()
    series.duration.observe((clock.monotonic() - exchange.startedAt) / 1000)
    activeNow.dec()
  }

  return function metrics_() {
    activeNow.inc()
    return observe
  }
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
const knownMethod = (method: string) => (METHODS.has(method) ? method : 'other')
