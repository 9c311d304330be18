import type { Clock } from '../../drivers/clock.ts'
import type { Store } from '../../drivers/store/contract.ts'
import type { ServiceClient } from '../client/service-client.ts'
import type { AddCheck } from '../health-check.ts'
import type { Log } from '../telemetry/log.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { runInOwnName } from '../telemetry/scope.ts'
import type { Tracing } from '../telemetry/tracing.ts'
import { inBackground } from './background.ts'
import { createBrokerClient } from './broker-client.ts'
import { runConsumer } from './consumer.ts'
import type { ConsumeOptions, Messaging, OutboxTable, OutgoingEvent } from './messaging.ts'
import { createOutbox } from './outbox.ts'
import { startRelay } from './outbox-relay.ts'
import { encodeOutgoing } from './outgoing-event.ts'

/** What a role's messaging works with. */
export interface MessagingOptions {
  /** The client for the service `broker`. */
  readonly client: ServiceClient
  /** This service's registered name: the events' source. */
  readonly service: string
  /** What this process consumes as: a name that no other living one has, and that the next one in its place has too. */
  readonly consumer: string
  readonly clock: Clock
  readonly tracing: Tracing
  readonly log: Log
  readonly metrics: Pick<Metrics, 'counter'>
  /** Fires when the role stops. */
  readonly signal: AbortSignal
  /** Adds to the role's health what doesn't work here. */
  readonly check: AddCheck
  /** Registers what a stop waits for, before it closes the stores: the ends of the loops. */
  readonly defer: (cleanup: () => Promise<void>) => void
}

/** Makes a role's way to the broker. Starts nothing until an outbox or a consumer is asked for. */
export function createMessaging(options: MessagingOptions): Messaging {
  const { client, service, consumer: name, clock, tracing, log, metrics, signal, check, defer } = options
  const broker = createBrokerClient(client)
  const handled = metrics.counter({
    name: 'messages_handled_total',
    help: 'Messages that a consumer handled, or failed to',
    labelNames: ['topic', 'outcome'],
  })

  return {
    async publish(events: readonly OutgoingEvent[]) {
      if (events.length === 0) return
      const texts = events.map((event) => encodeOutgoing(event, service, clock).text)
      await runInOwnName(() => broker.publish(texts))
    },
    outbox<DB extends OutboxTable>(store: Store<DB>) {
      const relay = inBackground(tracing, 'outbox', () =>
        startRelay({ store, holder: name, broker, log, clock, signal }),
      )
      check('outbox', relay.check, 'degraded')
      defer(() => relay.stopped)
      return createOutbox<DB>({ store, service, clock })
    },
    consume(consumption: ConsumeOptions) {
      const { topic, group = service } = consumption
      const onHandled = (outcome: string) => handled.inc({ topic, outcome })
      const consumer = { ...consumption, group, consumer: name, broker, tracing, log, signal, onHandled }
      const stopped = inBackground(tracing, 'consumer', () => runConsumer(consumer))
      defer(() => stopped)
    },
  }
}
