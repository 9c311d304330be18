import type { Counter } from 'prom-client'
import type { BusAdministration } from '../../drivers/bus/administration.ts'
import type { BusConsumer } from '../../drivers/bus/consumer.ts'
import type { Metrics } from '../../kit/telemetry/metrics.ts'

/** Topics that get a series of their own; the rest are counted together, so that made-up names can't fill the memory. */
const MAX_SERIES = 500
const REST = '(other)'
/** Dead letters counted at most. */
const MAX_DEAD = 1_000

/** What the broker counts, by topic. */
export interface BrokerMetrics {
  /** Messages were taken. */
  published(topic: string, count: number): void
  /** Messages were handed out. */
  delivered(topic: string, count: number): void
  /** Deliveries were acknowledged. */
  acked(topic: string, count: number): void
  /** Deliveries were given back. */
  nacked(topic: string, count: number): void
}

/** Makes the broker's metrics: four counters, and three gauges that ask the bus when they are read. */
export function createBrokerMetrics(
  metrics: Metrics,
  bus: Pick<BusConsumer, 'subscriptions'> & Pick<BusAdministration, 'countDeadLetters' | 'countDelayed'>,
): BrokerMetrics {
  const counter = (name: string, help: string) => byTopic(metrics.counter({ name, help, labelNames: ['topic'] }))
  metrics.gauge({
    name: 'broker_messages_pending',
    help: 'Messages neither acknowledged nor dead, by subscription',
    labelNames: ['topic', 'group'],
    async collect() {
      this.reset()
      const subscriptions = await bus.subscriptions({ limit: MAX_SERIES }).catch(() => [])
      for (const { topic, group = '', pending } of subscriptions) this.inc({ topic, group }, pending)
    },
  })
  metrics.gauge({
    name: 'broker_dead_letters',
    help: `Messages that failed too often, counted up to ${MAX_DEAD}`,
    async collect() {
      this.set(await bus.countDeadLetters(MAX_DEAD).catch(() => 0))
    },
  })
  metrics.gauge({
    name: 'broker_messages_delayed',
    help: 'Messages that wait for their time',
    async collect() {
      this.set(await bus.countDelayed().catch(() => 0))
    },
  })
  return {
    published: counter('broker_messages_published_total', 'Messages taken, by topic'),
    delivered: counter('broker_messages_delivered_total', 'Messages handed out, by topic'),
    acked: counter('broker_messages_acked_total', 'Deliveries acknowledged, by topic subscribed to'),
    nacked: counter('broker_messages_nacked_total', 'Deliveries given back, by topic subscribed to'),
  }
}

function byTopic(counter: Counter<'topic'>): (topic: string, count: number) => void {
  const series = new Map<string, Counter.Internal>()
  return (topic, count) => {
    let own = series.get(topic)
    if (!own) {
      own = counter.labels(series.size < MAX_SERIES ? topic : REST)
      if (series.size < MAX_SERIES) series.set(topic, own)
    }
    if (count > 0) own.inc(count)
  }
}
