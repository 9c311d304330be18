import { randomUUIDv7 } from 'node:crypto'
import { isOvertaken, toDriverError } from './faults.ts'
import type { JetStream } from './jetstream.ts'
import type { News } from './news.ts'
import { StreamReader } from './stream-reader.ts'
import type { StreamWriter } from './stream-writer.ts'
import type { Streams } from './streams.ts'

/** Names read in one part. */
const PART = 1_000
/** Times that a change is decided anew because others made theirs meanwhile. */
const MOST_ATTEMPTS = 50

/** A topic, and whose it is. */
export interface TopicName {
  readonly name: string
  readonly owner: string | undefined
}

/** A subscription as all brokers know it. */
export interface SubscriptionName {
  readonly id: string
  /** In its ack tokens: no other ever has it. */
  readonly key: number
  readonly topic: string
  readonly group?: string
  readonly owner?: string
  readonly pushUrl?: string
  readonly maxDeliver: number
  readonly ackWaitMs: number
  readonly giveUpAfterMs: number
  readonly expiresAfterMs?: number
  /** The sequence behind which it began. */
  readonly after: number
  /** When it was made, milliseconds since 1970. */
  readonly madeAt: number
}

/** What names are kept with. */
export interface NamesOptions {
  readonly jetStream: JetStream
  readonly streams: Streams
  readonly writer: StreamWriter
  readonly news: Pick<News, 'namesChanged'>
  /** Told of each subscription that was made, changed or removed. */
  readonly changed: (id: string, now: SubscriptionName | undefined) => void
}

/** What becomes of one name: its record, or null where it goes. */
export interface NameChange {
  readonly subject: string
  readonly record: object | null
}

/**
 * Which topics and subscriptions there are, as one stream of changes that every broker reads. A change is stored only where whoever decided it had read all
 * before it (optimistic concurrency, Kung & Robinson 1981), so that limits, owners and groups are as exact as in one process.
 */
export class Names {
  readonly #options: NamesOptions
  readonly #reader: StreamReader
  readonly #topics = new Map<string, TopicName>()
  readonly #byId = new Map<string, SubscriptionName>()
  readonly #gone = new Map<string, { readonly seq: number; readonly at: number }>()
  /** The sequence of the last change, as far as it is known. */
  #last = 0
  #changing: Promise<unknown> = Promise.resolve()
  #reading: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined
  /** Which change of each name is known. */
  readonly #known = new Map<string, number>()

  constructor(options: NamesOptions) {
    this.#options = options
    const { jetStream, streams } = options
    this.#reader = new StreamReader({ jetStream, stream: streams.names, filter: '>', after: 0, newestOfEach: true })
  }

  /** Topics by their names, in the order that they came to be. */
  get topics(): ReadonlyMap<string, TopicName> {
    return this.#topics
  }

  /** Subscriptions by their ids, the oldest first. */
  get subscriptions(): ReadonlyMap<string, SubscriptionName> {
    return this.#byId
  }

  /** Subscriptions that were removed before a time, milliseconds since 1970, and where that is told. */
  gone(before: number): readonly { readonly id: string; readonly seq: number }[] {
    return [...this.#gone].filter(([, { at }]) => at < before).map(([id, { seq }]) => ({ id, seq }))
  }

  /** Reads what changed: all that was stored before it is called. */
  refresh(): Promise<void> {
    // the reading under way may have passed the place where the news are: all who ask meanwhile share the next one
    this.#next ??= this.#reading.then(() => {
      const reading = this.#readAll()
      this.#reading = reading.catch(() => {})
      this.#next = undefined
      return reading
    })
    return this.#next
  }

  /**
   * Changes names by what `decide` says of them as they are; it is asked again when others change them meanwhile. Its errors are the caller's.
   * @returns what `decide` gave
   */
  change<T extends { readonly changes: readonly NameChange[] }>(decide: (last: number) => T): Promise<T> {
    const changing = this.#changing.then(() => this.#change(decide))
    this.#changing = changing.catch(() => {})
    return changing
  }

  /** Lets go of its reader. */
  close(): void {
    this.#reader.close()
  }

  async #readAll(): Promise<void> {
    for (;;) {
      const part = await this.#reader.read(PART)
      for (const { subject, seq, timestamp, data } of part)
        this.#apply(subject, { seq, at: timestamp }, Buffer.from(data).toString())
      if (!this.#reader.mayHaveMore) return
    }
  }

  async #change<T extends { readonly changes: readonly NameChange[] }>(decide: (last: number) => T): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const decided = decide(this.#last)
      if (decided.changes.length === 0) return decided
      try {
        await this.#store(decided.changes)
        this.#options.news.namesChanged()
        return decided
      } catch (fault) {
        if (!isOvertaken(fault) || attempt >= MOST_ATTEMPTS) throw toDriverError(fault)
        await this.#catchUp()
      }
    }
  }

  /** Stores changes one behind the other, on the way together: each expects the one before it. */
  async #store(changes: readonly NameChange[]): Promise<void> {
    const first = this.#last
    const stored = await Promise.allSettled(
      changes.map(({ subject, record }, at) =>
        this.#options.writer.write({
          subject,
          payload: JSON.stringify(record),
          id: randomUUIDv7(),
          expectOfStream: first + at,
        }),
      ),
    )
    for (const [at, one] of stored.entries()) {
      if (one.status === 'rejected') throw one.reason
      const { subject, record } = changes[at] ?? {}
      if (subject !== undefined)
        this.#apply(subject, { seq: one.value.seq, at: Number.POSITIVE_INFINITY }, JSON.stringify(record))
    }
  }

  async #catchUp(): Promise<void> {
    const { jetStream, streams } = this.#options
    const { last } = await jetStream.state(streams.names)
    await this.refresh()
    // the last one may have been taken away since
    this.#last = Math.max(this.#last, last)
  }

  #apply(subject: string, told: { readonly seq: number; readonly at: number }, text: string): void {
    const { seq } = told
    this.#last = Math.max(this.#last, seq)
    if ((this.#known.get(subject) ?? 0) >= seq) return
    this.#known.set(subject, seq)
    const record = JSON.parse(text) as object | null
    const { prefix } = this.#options.streams
    const [topic, subscription] = [`${prefix}.topic.`, `${prefix}.subscription.`]
    if (subject.startsWith(topic)) {
      const name = subject.slice(topic.length)
      const { owner } = (record ?? {}) as { owner?: string }
      if (!this.#topics.has(name)) this.#topics.set(name, { name, owner })
    } else if (subject.startsWith(subscription)) {
      const id = subject.slice(subscription.length)
      if (record === null) {
        this.#byId.delete(id)
        this.#gone.set(id, told)
      } else {
        this.#byId.set(id, record as SubscriptionName)
      }
      this.#options.changed(id, this.#byId.get(id))
    }
  }
}

/** The subject of a topic's record. */
export function topicSubject({ prefix }: Streams, topic: string): string {
  return `${prefix}.topic.${topic}`
}

/** The subject of a subscription's record. */
export function subscriptionSubject({ prefix }: Streams, id: string): string {
  return `${prefix}.subscription.${id}`
}
