import { topicPattern } from '../topic-pattern.ts'
import type { JetStream } from './jetstream.ts'
import type { Names } from './names.ts'
import { messageSubject, type Streams } from './streams.ts'

/** A topic is looked at when it has grown by this share of what is kept, so that one look serves many messages. */
const SHARE = 0.1
/** How long after a publication trimming begins, in milliseconds. */
const PAUSE_MS = 1_000
/** Looks at where the oldest message lies that is kept: each halves what is left, or does better. */
const MOST_LOOKS = 40

/** What retention works on, and what it keeps. */
export interface RetentionOptions {
  readonly jetStream: JetStream
  readonly streams: Streams
  readonly names: Names
  /** Messages kept per topic after everyone has acknowledged them. */
  readonly keepMessages: number
  /** How long an id is known for, in milliseconds: what is younger stays, as a server that is restarted learns ids from messages. */
  readonly dedupMs: number
  /** Wall clock. */
  readonly now: () => number
  /** The highest sequence up to which a subscription is done with all messages. */
  readonly settledUpTo: (subscription: string) => Promise<number>
}

/**
 * Takes away what every subscription is done with beyond the newest `keepMessages` of a topic. Each broker looks at the topics that it publishes to; that
 * two do so at once comes to the same.
 */
export class Retention {
  readonly #options: RetentionOptions
  readonly #grown = new Map<string, number>()
  readonly #due = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #isTrimming = false

  constructor(options: RetentionOptions) {
    this.#options = options
  }

  /** Messages were published to a topic. */
  published(topic: string): void {
    const grown = (this.#grown.get(topic) ?? 0) + 1
    this.#grown.set(topic, grown)
    if (grown < Math.max(1, this.#options.keepMessages * SHARE)) return
    this.#grown.delete(topic)
    this.#due.add(topic)
    this.#timer ??= setTimeout(() => void this.#trimAll(), PAUSE_MS)
  }

  /** Takes nothing away any more. */
  close(): void {
    clearTimeout(this.#timer)
    this.#due.clear()
  }

  async #trimAll(): Promise<void> {
    this.#timer = undefined
    if (this.#isTrimming) return
    this.#isTrimming = true
    for (const topic of this.#due) {
      this.#due.delete(topic)
      // one that fails is looked at when it has grown again
      await this.#trim(topic).catch(() => {})
    }
    this.#isTrimming = false
  }

  async #trim(topic: string): Promise<void> {
    const { jetStream, streams, keepMessages } = this.#options
    const subject = messageSubject(streams, topic)
    if ((await jetStream.count(streams.messages, subject)) <= keepMessages) return
    const settled = await this.#settledUpTo(topic)
    const before = Math.min(await this.#oldestKept(subject), settled + 1)
    if (await this.#isOld(subject, before)) await jetStream.purge(streams.messages, subject, before)
  }

  /** The highest sequence up to which all that read a topic are done; Infinity where nobody does. */
  async #settledUpTo(topic: string): Promise<number> {
    let settled = Number.POSITIVE_INFINITY
    for (const { id, topic: source } of [...this.#options.names.subscriptions.values()]) {
      if (topicPattern(source).matches(topic)) settled = Math.min(settled, await this.#options.settledUpTo(id))
    }
    return settled
  }

  /** The sequence of the oldest message that is among the newest `keepMessages` of a subject. */
  async #oldestKept(subject: string): Promise<number> {
    const { jetStream, streams, keepMessages } = this.#options
    const { first, last } = await jetStream.state(streams.messages)
    let [low, high] = [first, last + 1]
    for (let look = 0; look < MOST_LOOKS && low < high; look++) {
      const middle = Math.floor((low + high) / 2)
      // so many are there from the middle on
      if ((await this.#countFrom(subject, middle)) > keepMessages) low = middle + 1
      else high = middle
    }
    return low
  }

  async #countFrom(subject: string, seq: number): Promise<number> {
    const { jetStream, streams } = this.#options
    const terms = { filter: subject, after: seq - 1, newestOfEach: false, headersOnly: true }
    const { name, pending } = await jetStream.consume(streams.messages, terms)
    jetStream.forget(streams.messages, name)
    return pending
  }

  /** Whether the messages of a subject before a sequence are so old that nobody sends them again. */
  async #isOld(subject: string, before: number): Promise<boolean> {
    const { jetStream, streams, dedupMs, now } = this.#options
    const next = await jetStream.firstOf(streams.messages, subject, before)
    const message = next === undefined ? undefined : await jetStream.message(streams.messages, { seq: next })
    return message === undefined || message.timestamp < now() - dedupMs
  }
}
