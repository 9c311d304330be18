/** A message as it is handed in. */
export interface Publication {
  /**
   * The publisher's own id: a second message of the topic with the same id makes no copy, as long as fewer than 100 000 others came and less than two
   * minutes passed in between. A driver may know it for longer.
   */
  readonly id: string
  /** Dot-separated words, already checked. */
  readonly topic: string
  /** JSON text, stored and given back to the letter. */
  readonly payload: string
  /** `bytes`: the payload is a JSON string of them in Base64. `none`: there are no data, and the payload is `null`. Absent: it is what it says. */
  readonly form?: 'bytes' | 'none'
  /**
   * CloudEvents context attributes besides id and data (source, type, time, traceparent …). `partitionkey` is the message's key (message-key.ts): those of one key
   * are delivered in order.
   */
  readonly attributes: Readonly<Record<string, string>>
  /**
   * Milliseconds after which it takes its place in its topic, up to `MOST_DELAY_MS` (`invalid`). It is stored at once and its id is taken; until its time,
   * which it meets within a second, neither readers nor subscriptions see it, and what takes its place earlier comes before it, of its key too. As many may wait
   * as `maxDelayed` says: what would be one more is refused (`too-many`), all of its call with it, and one that waits already is told to do so. Default 0
   */
  readonly delayMs?: number
}

/** Says that a message is stored, as safely as the driver's docs say. `duplicate`: an earlier one with the same id is; what else is said is that one's. */
export interface Receipt {
  readonly id: string
  readonly topic: string
  /** Grows from message to message of a topic, from 1 on. There may be gaps. Absent while the message waits for its time. */
  readonly offset?: number
  /** When a message that waits takes its place, milliseconds since 1970. */
  readonly deliverAt?: number
  readonly duplicate: boolean
  /** This duplicate says something else than the earlier one, which stays: no copy of it. Absent where it is one, or the earlier content isn't known. */
  readonly differs?: true
}

/** A stored message. */
export interface StoredMessage extends Omit<Publication, 'delayMs'> {
  readonly offset: number
  /** When it took its place, milliseconds since 1970. */
  readonly timestamp: number
}

/** Most messages that are published all or none: they keep everybody else waiting. */
export const MOST_ATOMIC = 500

/** Longest delay of a message, in milliseconds: 30 days. */
export const MOST_DELAY_MS = 2_592_000_000

/** What publishes. */
export interface BusPublisher {
  /**
   * Resolves once all are stored (one fsync may serve many callers), receipts in the order given. Many are stored in parts, others' between them: when it
   * rejects, the first parts may be stored, and come to no harm when all are published again with the same ids.
   * @param owner whose the topics are that it makes; undefined counts for nobody
   * @param options.atomic as one, for at most `MOST_ATOMIC` messages (`invalid` for more): rejects `conflict` where one has the id of another and says
   * something else, `too-large` where one is larger than the server behind the bus takes. Where it rejects, none is stored, whatever happens; a bus without transactions, whose driver says so, may have stored the first ones.
   * Default false
   */
  publish(
    messages: readonly Publication[],
    owner?: string,
    options?: { readonly atomic?: boolean },
  ): Promise<readonly Receipt[]>
  /** Throws DriverError `too-large` for a message that `publish` would refuse so, all of its call with it. */
  checkSize(message: Publication): void
}
