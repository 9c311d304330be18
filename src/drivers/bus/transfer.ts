import type { DeadLetter } from './administration.ts'
import type { Subscription } from './consumer.ts'
import type { Publication, StoredMessage } from './publisher.ts'

/** A topic as a bus knows it. */
export interface KeptTopic {
  readonly name: string
  readonly owner?: string
  /** The first offset that readers find, and the last that was given. Absent where offsets have gaps: then they are given anew. */
  readonly offsets?: { readonly first: number; readonly last: number }
}

/** A message, and where it stands among all of its bus. */
export interface KeptMessage extends Omit<StoredMessage, 'offset'> {
  /** Grows in the order stored, whatever the topic. There may be gaps. */
  readonly place: number
  /** Absent where offsets have gaps. */
  readonly offset?: number
  /**
   * `kept`: readers find it. `apart`: it is past what is kept, and a subscription or a dead letter needs it still. `known`: its content is gone, and its id
   * is known for recognising duplicates.
   */
  readonly part: 'kept' | 'apart' | 'known'
}

/** A message that a subscription has handed out, or may hand out again, with what it has used up of its tries; see lease-rules.ts. */
export interface KeptDelivery {
  readonly place: number
  /** See message-key.ts. */
  readonly key?: string
  readonly deliveries: number
  readonly attempt: number
  readonly spared: number
  readonly waitedMs: number
  /** Whether it is on lease: no consumer keeps it beyond a move. */
  readonly isLeased: boolean
  /** Milliseconds since 1970 before which it doesn't come again, and how long that is at most. Absent: it may come at once. */
  readonly wait?: { readonly notBefore: number; readonly delayMs: number }
}

/** A subscription, and what it hasn't done with. */
export interface KeptSubscription extends Omit<Subscription, 'pending' | 'leased'> {
  /** When somebody last made use of it, milliseconds since 1970. */
  readonly activeAt: number
  /** All messages up to this place were handed out, are held, or aren't its own. */
  readonly after: number
  readonly out: readonly KeptDelivery[]
  /** Messages that wait for another of their key, the oldest first. */
  readonly held: readonly { readonly place: number; readonly key: string; readonly attempt: number }[]
}

/** A dead letter, and where its message stood. */
export interface KeptDeadLetter extends Omit<DeadLetter, 'cursor' | 'offset'> {
  readonly place: number
  readonly offset?: number
  readonly attempt: number
}

/** A message that waits for its time. */
export interface KeptDelayed extends Omit<StoredMessage, 'offset' | 'timestamp'> {
  /** Milliseconds since 1970. */
  readonly dueAt: number
  /** How long it waits at most, in milliseconds, whatever the wall clock says. */
  readonly delayMs: number
}

/** How much a bus holds. */
export interface BusCounts {
  readonly topics: number
  readonly messages: number
  /** Of their payloads and attributes. */
  readonly bytes: number
  readonly subscriptions: number
  readonly deadLetters: number
  readonly delayed: number
}

/** All that a bus holds, as it was at one instant. Methods reject with DriverError. */
export interface BusSnapshot {
  /** The run that fills it, see `BusDriver.fill`; undefined for none. */
  readonly filledBy: string | undefined
  counts(): Promise<BusCounts>
  topics(): Promise<readonly KeptTopic[]>
  /** Messages of which one has the most bytes of all, whether it has its place, waits for its time or is a dead letter. */
  largest(): Promise<readonly Publication[]>
  /** Messages behind a place in the order stored, in parts of some megabytes. */
  messages(after: number): AsyncIterable<readonly KeptMessage[]>
  /** The oldest first. */
  subscriptions(): Promise<readonly KeptSubscription[]>
  /** In the order in which they died. */
  deadLetters(): AsyncIterable<KeptDeadLetter>
  /** In the order of their times. */
  delayed(): AsyncIterable<KeptDelayed>
  /** Lets the instant go. May be called twice. */
  close(): Promise<void>
}

/** What a bus holds besides messages. */
export interface BusRest {
  readonly topics: readonly KeptTopic[]
  readonly subscriptions: readonly KeptSubscription[]
  readonly deadLetters: readonly KeptDeadLetter[]
  readonly delayed: readonly KeptDelayed[]
}

/** A bus that is being filled, and that nobody else has open. Methods reject with DriverError. */
export interface BusFilling {
  /** The place in the source of the last message that it has, of an earlier try too; 0 for none. */
  readonly place: number
  /** Adds the next messages. When it rejects, some of them may be stored. */
  add(messages: readonly KeptMessage[]): Promise<void>
  /**
   * Puts everything but messages in the place of whatever is there: topics, subscriptions, dead letters and what waits for its time. May be called again. Rejects
   * with `conflict` where somebody else has used the bus since.
   */
  complete(source: BusSnapshot): Promise<void>
  /** The messages that it was given and has, behind a place in the source, each at its place there. They are read anew, also when others use the bus by then. */
  messages(after: number): AsyncIterable<readonly KeptMessage[]>
  /** Everything else that it has, read anew, subscriptions by places in the source. */
  rest(): Promise<BusRest>
  /** It is one like any other from now on. */
  end(): Promise<void>
  close(): Promise<void>
}
