import type { Subscription } from '../../drivers/bus/consumer.ts'
import type { Bus } from '../../drivers/bus/contract.ts'
import type { Clock } from '../../drivers/clock.ts'
import { AppError } from '../../kit/errors.ts'

/** Subscriptions that are remembered. */
const KNOWN = 1_000
/** For how long, where another broker may change them, milliseconds. */
const KNOWN_MS = 2_000

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
export function createKnownSubscriptions(
  bus: Pick<Bus, 'subscription' | 'isShared'>,
  clock: Pick<Clock, 'monotonic'>,
): KnownSubscriptions {
  const known = new Map<
    string,
    { readonly subscription: Pick<Subscription, 'topic' | 'owner'>; readonly until: number }
  >()
  async function find(id: string) {
    const remembered = known.get(id)
    if (remembered && clock.monotonic() < remembered.until) return remembered.subscription
    const subscription = await bus.subscription(id)
    known.delete(id)
    if (!subscription) return undefined
    if (known.size >= KNOWN) known.clear()
    known.set(id, { subscription, until: bus.isShared ? clock.monotonic() + KNOWN_MS : Number.POSITIVE_INFINITY })
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
