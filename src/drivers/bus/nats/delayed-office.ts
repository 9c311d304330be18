import type { DelayedMessage, DelayedQuery } from '../administration.ts'
import { delayedCursor, placeAfter } from '../delay.ts'
import { boundedLimit } from '../page-of.ts'
import type { Publication } from '../publisher.ts'
import type { DelayedMessages } from './delayed-messages.ts'
import type { KeptMessage } from './jetstream.ts'
import { dedupId, storedMessage } from './message-format.ts'
import type { Streams } from './streams.ts'
import type { Waiting } from './waiting-messages.ts'

/** Messages asked for at a time. */
const AT_ONCE = 16
/** Characters after which a list takes no further message. */
const MOST_SIZE = 2 * 1024 * 1024

/** What becomes of messages that wait besides that they take their places: they are shown, and thrown away. Rejects with DriverError. */
export class DelayedOffice {
  readonly #delayed: DelayedMessages
  readonly #streams: Streams

  constructor(delayed: DelayedMessages, streams: Streams) {
    this.#delayed = delayed
    this.#streams = streams
  }

  /** Those that a query means. */
  async list({ topic, id, limit, after }: DelayedQuery): Promise<readonly DelayedMessage[]> {
    const most = boundedLimit(limit)
    let place = placeAfter(after)
    await this.#delayed.refresh()
    const wants = (one: Waiting) =>
      (topic === undefined || one.topic === topic) && (id === undefined || one.id === id || one.id.startsWith(`${id} `))
    const messages: DelayedMessage[] = []
    let left = MOST_SIZE
    while (messages.length < most && left > 0) {
      const part = this.#delayed.behind(place, wants, Math.min(AT_ONCE, most - messages.length))
      const found = await Promise.all(part.map((one) => this.#delayed.message(one)))
      for (const [at, one] of part.entries()) {
        const kept = found[at]
        if (kept !== undefined && left > 0) {
          messages.push(this.#asListed(one, kept))
          left -= kept.data.length
        }
        place = { dueAt: one.dueAt, nr: one.seq }
      }
      if (part.length === 0) break
    }
    return messages
  }

  /** Throws one away. False where none waits. */
  cancel(message: Pick<Publication, 'topic' | 'id'>): Promise<boolean> {
    return this.#delayed.cancel(dedupId(message))
  }

  #asListed({ topic, dueAt, seq }: Waiting, kept: KeptMessage): DelayedMessage {
    const { offset: _offset, timestamp: _timestamp, ...content } = storedMessage(this.#streams, kept, kept)
    return { ...content, topic, deliverAt: dueAt, cursor: delayedCursor({ dueAt, nr: seq }) }
  }
}
