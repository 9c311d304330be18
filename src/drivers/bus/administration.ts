import type { Publication, StoredMessage } from './publisher.ts'

/** A part of a list. */
export interface Page {
  readonly limit: number
  readonly after?: string | undefined
}

/** A topic and what of it is kept. `lastOffset` counts on when nothing is; `firstOffset` is behind it then. */
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

/** Which dead letters are meant. */
export interface DeadLetterChoice {
  /** Default: every one's. */
  readonly subscription?: string
  /** Message ids. Default: all. */
  readonly ids?: readonly string[]
}

/** Which dead letters are listed. */
export interface DeadLetterQuery {
  readonly subscription?: string
  /** Those with this message id, or one that begins with it and a space. */
  readonly id?: string
  readonly limit: number
  /** The `cursor` of the last one seen. */
  readonly after?: string
}

/** A message that waits for its time. */
export interface DelayedMessage extends Omit<Publication, 'delayMs'> {
  /** Its place in the list: `delayed({ after: cursor })` reads on behind it. */
  readonly cursor: string
  /** When it takes its place in its topic, milliseconds since 1970. */
  readonly deliverAt: number
}

/** Which messages that wait are listed. */
export interface DelayedQuery {
  readonly topic?: string
  /** Those with this message id, or one that begins with it and a space. */
  readonly id?: string
  readonly limit: number
  /** The `cursor` of the last one seen. */
  readonly after?: string
}

/** What looks after topics, dead letters and what waits for its time. */
export interface BusAdministration {
  /**
   * Topics that were ever published to, in an order that stays as it is; one that comes meanwhile may stand before the last one seen. `after` is the name of
   * that one. Default: all.
   */
  topics(page?: Partial<Page>): Promise<readonly TopicInfo[]>
  /** Dead letters, oldest first. Fewer than `limit` where they are large: only none is the end. */
  deadLetters(query: DeadLetterQuery): Promise<readonly DeadLetter[]>
  /** Calls back for every message that becomes a dead letter, once that is stored: at the one broker of the bus that made it one. */
  watchDeadLetters(notify: (letter: FreshDeadLetter) => void): void
  /** How many dead letters there are, counted up to `most`. */
  countDeadLetters(most: number): Promise<number>
  /**
   * Puts dead letters back into their subscription with a fresh count.
   * Returns how many: some at a time, and a subscription takes no more than it has room for on lease, so call again until it is 0.
   */
  redrive(choice: DeadLetterChoice): Promise<number>
  /** Throws dead letters away for good. Returns how many: some at a time, so call again until it is 0. */
  discard(choice: DeadLetterChoice): Promise<number>
  /** Messages that wait for their time, the next one first. Fewer than `limit` where they are large: only none is the end. */
  delayed(query: DelayedQuery): Promise<readonly DelayedMessage[]>
  /** How many messages wait for their time. */
  countDelayed(): Promise<number>
  /**
   * Throws a message away before it takes its place; its id is free then. False where none waits there with this id, any more: in the last second before its
   * time it may count as placed.
   */
  cancelDelayed(message: Pick<Publication, 'topic' | 'id'>): Promise<boolean>
}
