import type { Clock } from '../../drivers/clock.ts'
import type { Exchange, Layer } from '../http/exchange.ts'
import { HTTP_METHODS } from '../http/methods.ts'
import { statusOf } from '../http/status-of.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Tally } from '../telemetry/spread.ts'

/** Most series of routes by name: with those of the rest, by method and class of status, a metric has at most 2 000. */
const MAX_NAMED_SERIES = 1_900
const REST = 'other'

/** Where requests are counted, and what they are timed with. */
export interface MetricsLayerOptions {
  readonly metrics: Metrics
  readonly clock: Pick<Clock, 'monotonic'>
}

/** One combination of labels, and what was measured of it. */
interface Series {
  readonly labels: { readonly method: string; readonly route: string; readonly status: number }
  readonly tally: Tally
}

/**
 * Counts and times requests by method, route template and status (seed 9.7.11): `http_requests_total`, `http_errors_total`,
 * `http_requests_active`, `http_request_duration_seconds`. A request costs one look-up and one observation; what is counted is told when it is asked for.
 */
export function metrics({ metrics, clock }: MetricsLayerOptions): Layer {
  const labelNames = ['method', 'route', 'status'] as const
  const known = new Map<string, Series>()
  let active = 0
  metrics.counter({
    name: 'http_requests_total',
    help: 'HTTP requests answered',
    labelNames,
    collect() {
      this.reset()
      for (const { labels, tally } of known.values()) this.inc(labels, tally.count)
    },
  })
  metrics.counter({
    name: 'http_errors_total',
    help: 'HTTP requests answered with a 5xx status',
    labelNames,
    collect() {
      this.reset()
      for (const { labels, tally } of known.values()) if (labels.status >= 500) this.inc(labels, tally.count)
    },
  })
  metrics.gauge({
    name: 'http_requests_active',
    help: 'HTTP requests being answered now',
    collect() {
      this.set(active)
    },
  })
  const duration = metrics.histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the request head to the end of the answer',
    labelNames,
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  })

  function seriesOf(method: string, route: string, status: number): Series {
    const key = `${method} ${route} ${status}`
    const found = known.get(key)
    if (found) return found
    if (known.size >= MAX_NAMED_SERIES && route !== REST) return seriesOf(method, REST, status - (status % 100))
    const labels = { method, route, status }
    const series = { labels, tally: duration.tally(labels) }
    known.set(key, series)
    return series
  }

  function observe({ method, route, outgoing, startedAt }: Exchange) {
    const { tally } = seriesOf(knownMethod(method), route, statusOf(outgoing))
    tally.observe((clock.monotonic() - startedAt) / 1000)
    active--
  }

  return function metrics_() {
    active++
    return observe
  }
}

const METHODS: ReadonlySet<string> = new Set(HTTP_METHODS)
const knownMethod = (method: string) => (METHODS.has(method) ? method : 'other')
