import {
  Counter,
  type CounterConfiguration,
  Gauge,
  type GaugeConfiguration,
  type HistogramConfiguration,
  Registry,
} from 'prom-client'
import { Spread } from './spread.ts'

/**
 * A role's own Prometheus metrics; each role has its own registry, so that roles in one process don't mix. Who asks for a metric again, by its name, is
 * a later run of the role.
 * @example
 * const sold = metrics.counter({ name: 'products_sold_total', help: 'Products sold', labelNames: ['name'] })
 * sold.inc({ name: 'Laptop' })
 */
export interface Metrics {
  /** A number that only grows, such as requests; asked for again, it goes on. */
  counter<L extends string>(options: Omit<CounterConfiguration<L>, 'registers'>): Counter<L>
  /** A number that goes up and down, such as connections; asked for again, the new one takes the place of the old. */
  gauge<L extends string>(options: Omit<GaugeConfiguration<L>, 'registers'>): Gauge<L>
  /** How values are spread, such as durations. */
  histogram<L extends string>(
    options: Omit<HistogramConfiguration<L>, 'registers'> & { readonly buckets: readonly number[] },
  ): Pick<Spread<L>, 'tally'>
  /** Prometheus text format 0.0.4. */
  text(): Promise<string>
}

/** Makes a role's metrics. Every series carries the label `service`. */
export function createMetrics(service: string): Metrics {
  const registry = new Registry()
  registry.setDefaultLabels({ service })
  const registers = [registry]
  return {
    counter(options) {
      const known = registry.getSingleMetric(options.name)
      return known instanceof Counter ? known : new Counter({ ...options, registers })
    },
    gauge(options) {
      registry.removeSingleMetric(options.name)
      return new Gauge({ ...options, registers })
    },
    histogram: (options) => new Spread({ ...options, registers }),
    text: () => registry.metrics(),
  }
}
