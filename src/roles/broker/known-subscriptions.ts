import type { BusConsumer, Subscription } from '../../drivers/bus/consumer.ts'
import { AppError } from '../../kit/errors.ts'

/** Subscriptions that are remembered. */
const KNOWN = 1_000

/** What of a subscription seldom changes, kept at hand so that an acknowledgement needn't ask the bus for it. */
export interface KnownSubscriptions {
  /** Undefined when there is none of that id. */
  find(id: string): Promise<Pick<Subscription, 'topic' | 'owner'> | undefined>
  /** The same; throws AppError `NOT_FOUND`. */
  get(id: string): Promise<Pick<Subscription, 'topic' | 'owner'>>
  /** It changed. */
  forget(id: string): void
}

/** Makes the memory of a bus's subscriptions. */
export function createKnownSubscriptions(bus: Pick<BusConsumer, 'subscription'>): KnownSubscriptions {
  const known = new Map<string, Pick<Subscription, 'topic' | 'owner'>>()
  async function find(id: string) {
    const remembered = known.get(id)
    if (remembered !== undefined) return remembered
    const subscription = await bus.subscription(id)
    if (!subscription) return undefined
    if (known.size >= KNOWN) known.clear()
    known.set(id, subscription)
    return subscription
  }

  return {
    find,
    async get(id) {
      const subscription = await find(id)
      if (!subscription) throw new AppError('NOT_FOUND', 'Subscription not found')
      return subscription
    },
    forget: (id) => void known.delete(id),
  }
}
