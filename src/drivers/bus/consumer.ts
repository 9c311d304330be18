import type { Page } from './administration.ts'
import type { StoredMessage } from './publisher.ts'
import type { Cursor } from './reader.ts'

/** A message on lease to one consumer. */
export interface Delivery extends StoredMessage {
  /** 1 for the first time, then higher; counted anew when a dead letter is redriven. */
  readonly delivery: number
  /** The token that acknowledges this delivery and no other, at every broker of the bus. At most 255 characters. */
  readonly ack: string
}

/** What a subscriber asks for. */
export interface SubscriptionSpec {
  /** A topic or a pattern: `*` one word, `>` the rest. */
  readonly topic: string
  /** Consumer group: subscribers naming the same topic and group share one subscription, each message going to one of them. */
  readonly group?: string
  /** Where the broker posts each message; absent for pull. */
  readonly push?: { readonly url: string }
  /** Deliveries in vain before a message becomes a dead letter: refused, or with a lease that ended without a word. Default 5. */
  readonly maxDeliver?: number
  /** How long a message is put off (`later`) before it becomes a dead letter, in milliseconds. Default a day. */
  readonly giveUpAfterMs?: number
  /** The lease: milliseconds a consumer has to acknowledge. Default 30 000. */
  readonly ackWaitMs?: number
  /** Where one that is made begins. `new` (default): what is published from now on. `first`: all that is kept. `after`: what lies behind a cursor. */
  readonly from?: 'new' | 'first' | { readonly after: Cursor }
  /**
   * Whose it is. A group that has an owner is given to no other (`conflict`); one that has none becomes its next subscriber's who says who he
   * is. Absent: the caller may have any.
   */
  readonly owner?: string
  /** Milliseconds without a pull, an ack or a nack after which it is removed with all that it holds. Default: it stays until `unsubscribe`. */
  readonly expiresAfterMs?: number
  /** There is a place for it beyond `maxSubscriptions` and its owner's share. Default false. */
  readonly reserved?: boolean
}

/** A subscription as it stands. */
export interface Subscription
  extends Pick<SubscriptionSpec, 'topic' | 'group' | 'push' | 'owner' | 'expiresAfterMs'>,
    Required<Pick<SubscriptionSpec, 'maxDeliver' | 'ackWaitMs' | 'giveUpAfterMs'>> {
  readonly id: string
  /**
   * Messages neither acknowledged nor dead: waiting and on lease. Of a pattern with news on more topics than may be counted at once, those
   * beyond count as one message each.
   */
  readonly pending: number
  /** Of these, on lease now; a bus that can't tell them apart counts those that wait to come again, too. */
  readonly leased: number
}

/** What of a subscription all brokers of a bus know. */
export type SubscriptionTerms = Omit<Subscription, 'pending' | 'leased'>

/** How to pull. */
export interface PullOptions {
  /** Most messages. */
  readonly max: number
  /** Milliseconds to wait for the first. */
  readonly waitMs: number
  readonly signal: AbortSignal
  /** Who has them then, by a name of its own within the subscription. Default: nobody who could be told to be gone. */
  readonly consumer?: string
}

/** How and why deliveries are given back. */
export interface ReturnOptions {
  /**
   * Milliseconds before they come again. Default: exponential from 100 ms, with jitter; none for `unseen`. With `later` no less than a tenth of
   * what the message was put off for so far, from 100 ms to 30 s.
   */
  readonly delayMs?: number
  readonly reason?: string
  /** Not the message's fault: whoever handles it couldn't at the moment. They don't count as delivered in vain, until `giveUpAfterMs` is over. */
  readonly later?: boolean
  /** No consumer ever looked at them, so they don't count as delivered in vain. */
  readonly unseen?: boolean
  /** Their consumer is gone, as with `release`: they come again at once, and count as delivered in vain from the fourth time on. */
  readonly left?: boolean
}

/**
 * Subscriptions, and the messages that consumers lease from them. Of messages with one key a subscription hands out one at a time, in the order stored,
 * whatever their topics: the next one is handed out when the one before is acknowledged or a dead letter, and until then that one comes again, however it
 * was given back. Other keys, and messages without one, don't wait for it. A dead letter that is redriven comes when its key is free.
 * Subscriptions and leases are the bus's own, whichever of several brokers on one bus
 * is asked; what only this broker knows is said where it makes a difference.
 */
export interface BusConsumer {
  /**
   * Makes a subscription, or gives the one that topic and group already have (its terms brought up to date, its place left as it is). Rejects `invalid`
   * for a place that isn't there.
   */
  subscribe(spec: SubscriptionSpec): Promise<Subscription>
  /** Removes a subscription with its dead letters; its waiting pulls end empty. False when there was none. */
  unsubscribe(id: string): Promise<boolean>
  /** A subscription as it stands now; undefined when there is none. */
  subscription(id: string): Promise<Subscription | undefined>
  /** Subscriptions as they stand now, those of a topic or a group alone, the oldest first; `after` is the id of the last one seen. Default: all. */
  subscriptions(
    page?: Partial<Page> & { topic?: string | undefined; group?: string | undefined },
  ): Promise<readonly Subscription[]>
  /** Calls back when a subscription was made, changed or removed (undefined), at whichever broker of the bus; of changes in quick succession, with the last. */
  watchSubscriptions(notify: (id: string, terms: SubscriptionTerms | undefined) => void): void
  /**
   * Leases up to `max` messages, fewer where they would have more than 8 MiB together, so that a consumer who bounds what it reads
   * (the kit's takes 10 MB) can take them all; waits up to `waitMs` for the first. Empty when none came, `signal` fired, or the
   * subscription or the bus ended meanwhile. Pulls that wait at this broker are served in the order they came. What `consumer` gets, `release` takes back.
   */
  pull(id: string, options: PullOptions): Promise<readonly Delivery[]>
  /** Ends these deliveries for good. Returns how many tokens were current: a late one is refused. */
  ack(id: string, tokens: readonly string[]): Promise<number>
  /** Begins the leases of these deliveries anew. Returns how many tokens were current. */
  renew(id: string, tokens: readonly string[]): Promise<number>
  /** Gives these deliveries back, to come again. Returns how many tokens were current. */
  nack(id: string, tokens: readonly string[], options?: ReturnOptions): Promise<number>
  /**
   * Gives back what a consumer got from this broker, has on lease and won't settle any more, to come again at once: what it got from other brokers of the
   * bus, those give back when they hear of it. A message left behind so for the fourth time may be what its consumers die of: from then on it counts as
   * delivered in vain. Returns how many there were.
   */
  release(id: string, consumer: string): Promise<number>
}
