import {
  Counter,
  type CounterConfiguration,
  Gauge,
  type GaugeConfiguration,
  type HistogramConfiguration,
  Registry,
} from 'prom-client'
import { Spread } from './spread.ts'

/** A role's own Prometheus metrics; each role has its own registry, so that roles in one process don't mix. */
export interface Metrics {
  /** A number that only grows, such as requests. */
  counter<L extends string>(options: Omit<CounterConfiguration<L>, 'registers'>): Counter<L>
  /** A number that goes up and down, such as connections. */
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
    counter: (options) => new Counter({ ...options, registers }),
    gauge: (options) => new Gauge({ ...options, registers }),
    histogram: (options) => new Spread({ ...options, registers }),
    text: () => registry.metrics(),
  }
}
