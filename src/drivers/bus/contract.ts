import type { Clock } from '../clock.ts'
import type { DriverError } from '../driver-error.ts'

/** A message as it is handed in. */
export interface Publication {
  /** The publisher's own id: within the last 100 000 messages of a topic a second one with the same id makes no copy. */
  readonly id: string
  /** Dot-separated words, already checked. */
  readonly topic: string
  /** JSON text, stored and given back to the letter. */
  readonly payload: string
  /** `bytes`: the payload is a JSON string of them in Base64. `none`: there are no data, and the payload is `null`. Absent: it is what it says. */
  readonly form?: 'bytes' | 'none'
  /** CloudEvents context attributes besides id and data (source, type, time, traceparent …). */
  readonly attributes: Readonly<Record<string, string>>
}

/** Says that a message is on disk. `duplicate`: an earlier one with the same id is; `offset` is that one's. */
export interface Receipt {
  readonly id: string
  readonly topic: string
  /** Position in its topic, from 1, without gaps. */
  readonly offset: number
  readonly duplicate: boolean
  /** This duplicate says something else than the earlier one, which stays: no copy of it. Absent where it is one, or the earlier content is gone. */
  readonly differs?: true
}

/** A stored message. */
export interface StoredMessage extends Publication {
  readonly offset: number
  /** When it was stored, milliseconds since 1970. */
  readonly timestamp: number
}

/** A message on lease to one consumer. */
export interface Delivery extends StoredMessage {
  /** 1 for the first time, counted anew when a dead letter is redriven. */
  readonly delivery: number
  /** The token that acknowledges this delivery and no other. */
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
  /**
   * `new` (default): what is published from now on. `first`: all that is kept. A number: messages with that offset or a later one, on each topic.
   * `after`: those behind a position that `read` or `end` gave.
   */
  readonly from?: 'new' | 'first' | number | { readonly after: number }
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
  /** Of these, on lease now. */
  readonly leased: number
}

/** A topic and what of it is kept. `lastOffset` counts on when nothing is. */
export interface TopicInfo {
  readonly topic: string
  readonly messages: number
  readonly firstOffset: number
  readonly lastOffset: number
}

/** A message that was delivered in vain too often, with the content it had. */
export interface DeadLetter extends StoredMessage {
  /** Names this dead letter and no other; `deadLetters({ after: cursor })` reads on behind it. */
  readonly cursor: string
  readonly subscription: string
  readonly deliveries: number
  /** Why it died, such as the last nack's reason or `lease expired`. */
  readonly reason: string
}

/** A message that has just died, and in which group's subscription. */
export type FreshDeadLetter = Omit<DeadLetter, 'cursor'> & { readonly group: string | undefined }

/** Most messages that are published all or none: they keep everybody else waiting. */
export const MOST_ATOMIC = 500

/**
 * Durable topics, at least once. Every driver passes test/drivers/bus-suite.ts. Methods reject with DriverError:
 * `full` below the free-disk floor, `too-many`, `not-found` for an unknown subscription, `unavailable`, `closed`.
 */
export interface Bus {
  /**
   * Resolves once all are on disk (one fsync may serve many callers), receipts in the order given. More than 500 are stored in parts, others' between
   * them: when it rejects, the first parts may be stored, and come to no harm when all are published again with the same ids.
   * @param owner whose the topics are that it makes; undefined counts for nobody
   * @param options.atomic all or nothing, whatever happens, for at most `MOST_ATOMIC` messages: rejects `conflict` where one has the id of another and
   * says something else, and `invalid` for more. Default false
   */
  publish(
    messages: readonly Publication[],
    owner?: string,
    options?: { readonly atomic?: boolean },
  ): Promise<readonly Receipt[]>
  /** Makes a subscription, or gives the one that topic and group already have (its spec brought up to date). */
  subscribe(spec: SubscriptionSpec): Promise<Subscription>
  /** Removes a subscription with its dead letters; its waiting pulls end empty. False when there was none. */
  unsubscribe(id: string): Promise<boolean>
  /** A subscription as it stands now; undefined when there is none. */
  subscription(id: string): Promise<Subscription | undefined>
  /** Subscriptions as they stand now, those of a topic or a group alone, the oldest first; `after` is the id of the last one seen. Default: all. */
  subscriptions(
    page?: Partial<Page> & { topic?: string | undefined; group?: string | undefined },
  ): Promise<readonly Subscription[]>
  /**
   * Leases up to `max` messages, fewer where they would have more than 8 MiB together, so that a consumer who bounds what it reads
   * (the kit's takes 10 MB) can take them all; waits up to `waitMs` for the first. Empty when none came, `signal` fired, or the
   * subscription or the bus ended meanwhile. Pulls that wait are served in the order they came. What `consumer` gets, `release` takes back.
   */
  pull(id: string, options: PullOptions): Promise<readonly Delivery[]>
  /** Ends these deliveries for good. Returns how many tokens were current: a late one is refused. */
  ack(id: string, tokens: readonly string[]): Promise<number>
  /** Begins the leases of these deliveries anew. Returns how many tokens were current. */
  renew(id: string, tokens: readonly string[]): Promise<number>
  /** Gives these deliveries back, to come again. Returns how many tokens were current. */
  nack(id: string, tokens: readonly string[], options?: ReturnOptions): Promise<number>
  /**
   * Gives back what a consumer has on lease and won't settle any more, to come again at once. A message left behind so for the fourth time may be
   * what its consumers die of: from then on it counts as delivered in vain. Returns how many there were.
   */
  release(id: string, consumer: string): Promise<number>
  /**
   * Messages of every topic that fits `pattern`, without lease, in the order stored: those behind position `after`
   * (one that `read` or `end` gave, 0 for all that is kept) and, where `from` is given, with that per-topic offset or a later one. Fewer than
   * `limit` where they are large or far apart: only none is the end, or `signal` fired.
   */
  read(
    pattern: string,
    options: { after: number; from?: number; limit: number; signal?: AbortSignal },
  ): Promise<readonly (StoredMessage & { position: number })[]>
  /** The newest position (0 when nothing was ever stored): where a reader begins that wants only what comes now. */
  end(): Promise<number>
  /** Calls back whenever something was published to a topic that fits, or to so many that it may; returns how to stop. */
  watch(pattern: string, notify: () => void): () => void
  /** Topics that were ever published to, in the order they came to be; `after` is the name of the last one seen. Default: all. */
  topics(page?: Partial<Page>): Promise<readonly TopicInfo[]>
  /**
   * Dead letters, oldest first; `after` is the `cursor` of the last one seen. `id`: those with this message id, or one that begins with it and
   * a space. Fewer than `limit` where they are large: only none is the end.
   */
  deadLetters(options: {
    subscription?: string
    id?: string
    limit: number
    after?: string
  }): Promise<readonly DeadLetter[]>
  /** Calls back for every message that becomes a dead letter, once that is on disk. */
  watchDeadLetters(notify: (letter: FreshDeadLetter) => void): void
  /** How many dead letters there are, counted up to `most`. */
  countDeadLetters(most: number): Promise<number>
  /**
   * Puts dead letters back into their subscription with a fresh count; `ids` are message ids, without them all are meant.
   * Returns how many: some at a time, and a subscription takes no more than it has room for on lease, so call again until it is 0.
   */
  redrive(options: { subscription?: string; ids?: readonly string[] }): Promise<number>
  /** Throws dead letters away for good. Returns how many: some at a time, so call again until it is 0. */
  discard(options: { subscription?: string; ids?: readonly string[] }): Promise<number>
  /**
   * Resolves with why the bus must be opened anew: its file turned out to be damaged, or another lies in its place. From then on nothing is
   * written, and `check` fails. Never for one that is no file.
   */
  readonly unsound: Promise<DriverError>
  /** Resolves when the bus can be read before `signal` fires; for health. */
  check(signal: AbortSignal): Promise<void>
  /** Resolves when the bus takes messages, as it did at most 1 s ago; for health. */
  checkWrites(): Promise<void>
  /** Finishes what was asked for, ends the waiting pulls, refuses what comes (`closed`). May be called twice. */
  close(): Promise<void>
}

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
  /** No consumer ever looked at them, so they don't count as delivered. */
  readonly unseen?: boolean
  /** Their consumer is gone, as with `release`: they come again at once, and count as delivered in vain from the fourth time on. */
  readonly left?: boolean
}

/** A part of a list. */
export interface Page {
  readonly limit: number
  readonly after?: string | undefined
}

/** How much a bus keeps by name. */
export interface BusLimits {
  /** Topics beyond which a message for a new one is refused (`too-many`). Default 10 000. */
  readonly maxTopics?: number
  /** Of these, how many one owner may make; one more is refused (`too-many`). Default: all. */
  readonly maxTopicsPerOwner?: number
  /** Topics that there is a place for beyond `maxTopics`. Default none. */
  readonly reservedTopics?: readonly string[]
  /** Subscriptions beyond which a new one is refused (`too-many`). Default 1 000. */
  readonly maxSubscriptions?: number
  /** Of these, how many one owner may have; one more is refused (`too-many`). Default: all. */
  readonly maxSubscriptionsPerOwner?: number
}

/** What a bus needs to open. */
export interface BusOptions extends BusLimits {
  /** `embedded:`, or a server's URL such as `nats://host:4222`. */
  readonly url: string
  /** Where an embedded bus keeps its file. Made (0700) when missing. */
  readonly folder: string
  /** What the bus tells time by. */
  readonly clock: Clock
  /** Publishing is refused (`full`) while the disk has fewer free bytes. Default 50 MB. */
  readonly minFreeBytes?: number
  /** Messages kept per topic after everyone has acknowledged them, for `first` and replay. Default 100 000. */
  readonly keepMessages?: number
}

/** Opens buses of one URL scheme. */
export interface BusDriver {
  /** With its colon, lower case: `embedded:`. */
  readonly scheme: string
  /** Rejects with DriverError: `invalid` for a wrong URL or a newer version's file, `damaged`, `unavailable`, `full`. */
  open(options: BusOptions): Promise<Bus>
}
