import { createWakeUp } from '../../kit/wake-up.ts'

/** The deliveries that a stream's reader has and has not settled. */
export interface InHand {
  /** How many there are: those whose lease is over come again, and are no longer its business. */
  count(): number
  /** The reader got a delivery. */
  add(ack: string): void
  /** Resolves when there may be fewer, or `signal` fires. */
  fewer(signal: AbortSignal): Promise<void>
  /** Ends it. Gives the tokens that are left, the one it got first in front. */
  close(): readonly string[]
}

/** The streams that are open, so that they hear of what their readers settle. */
export interface OpenStreams {
  /** Begins a stream of a subscription, whose leases last so many milliseconds. */
  open(subscription: string, leaseMs: number): InHand
  /** These deliveries are settled. */
  settled(subscription: string, acks: readonly string[]): void
}

/** Makes the list of open streams. @param now monotonic milliseconds */
export function createOpenStreams(now: () => number): OpenStreams {
  const open = new Map<string, Set<(ack: string) => void>>()

  return {
    open(subscription, leaseMs) {
      const ends = new Map<string, number>()
      const bell = createWakeUp()
      const ofSubscription = open.get(subscription) ?? new Set()
      const settle = (ack: string) => {
        if (ends.delete(ack)) bell.ring()
      }
      open.set(subscription, ofSubscription.add(settle))

      function firstEnd(): number {
        for (const end of ends.values()) return end
        return Number.POSITIVE_INFINITY
      }

      return {
        count() {
          for (const [ack, end] of ends) {
            if (end > now()) break
            ends.delete(ack)
          }
          return ends.size
        },
        add: (ack) => void ends.set(ack, now() + leaseMs),
        fewer: (signal) => bell.sleep(Math.max(1, firstEnd() - now()), signal),
        close() {
          ofSubscription.delete(settle)
          if (ofSubscription.size === 0) open.delete(subscription)
          return [...ends.keys()]
        },
      }
    },
    settled(subscription, acks) {
      const streams = open.get(subscription)
      if (streams) for (const settle of streams) for (const ack of acks) settle(ack)
    },
  }
}
