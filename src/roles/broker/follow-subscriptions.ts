import type { BusConsumer } from '../../drivers/bus/consumer.ts'
import { createRetries } from '../../kit/messaging/retries.ts'
import { pause } from '../../kit/pause.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import type { PushDelivery } from './push-delivery.ts'

/** Between two looks, milliseconds: for so long a push subscription made at one broker is delivered by that one alone. */
const LOOK_MS = 2_000

/** What is followed. */
export interface FollowSubscriptionsOptions {
  readonly bus: Pick<BusConsumer, 'subscriptions'>
  readonly push: Pick<PushDelivery, 'updateAll'>
  readonly log: Log
  /** Fires when the role stops. */
  readonly signal: AbortSignal
}

/**
 * Keeps a broker delivering what others on its bus have made subscriptions to: each delivers to all, and whoever is left goes on when another dies.
 * Resolves when it is stopped.
 */
export async function followSubscriptions({ bus, push, log, signal }: FollowSubscriptionsOptions): Promise<void> {
  const retries = createRetries({ what: 'Push subscriptions made at other brokers wait for the bus', log, signal })
  while (!signal.aborted) {
    await pause(LOOK_MS, signal)
    if (signal.aborted) return
    try {
      await push.updateAll(() => bus.subscriptions())
      retries.succeeded()
    } catch (fault) {
      await retries.failed(fault)
    }
  }
}
