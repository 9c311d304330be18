import type { FreshDeadLetter } from '../administration.ts'
import type { StoredMessage } from '../publisher.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { Entry, LeaseBook } from './lease-book.ts'
import type { MessageSource } from './message-source.ts'
import type { SubscriptionName } from './names.ts'
import type { Turns } from './turns.ts'

/** What messages are brought to their end with. */
export interface UndertakerParts {
  readonly book: LeaseBook
  readonly turns: Turns
  readonly source: Pick<MessageSource, 'at'>
  readonly deadLetters: DeadLetters
  readonly name: () => SubscriptionName | undefined
  readonly died: (letter: FreshDeadLetter) => void
  /** Makes sure that this broker still leads the subscription. @throws Moved */
  readonly fence: () => Promise<void>
}

/** Brings messages of one subscription to their end, within its turns: done, or dead. */
export class Undertaker {
  readonly #parts: UndertakerParts
  readonly #subscription: string

  constructor(subscription: string, parts: UndertakerParts) {
    this.#parts = parts
    this.#subscription = subscription
  }

  /** What a message says; undefined where somebody took it out of the stream. Rejects with DriverError. */
  content({ seq, restored }: Entry): Promise<StoredMessage | undefined> {
    const { source, deadLetters } = this.#parts
    return restored ? deadLetters.content(this.#subscription, seq) : source.at(seq)
  }

  /** It is settled. */
  done(entry: Entry): void {
    const { book, turns, deadLetters } = this.#parts
    book.delete(entry)
    if (entry.restored) turns.after(() => deadLetters.forgetContent(this.#subscription, entry.seq))
  }

  /** It had its last delivery. Rejects with DriverError where it can't become a dead letter now. */
  async bury(entry: Entry, reason: string): Promise<void> {
    const { deadLetters, died, fence, name, turns } = this.#parts
    const message = await this.content(entry)
    if (message !== undefined) {
      const { deliveries, attempt, key } = entry.state
      const death = { deliveries, attempt, reason, ...(key !== undefined && { key }) }
      // a broker that slept doesn't know that another leads by now, and that the message may be well
      await fence()
      const kept = await deadLetters.add(this.#subscription, message, death)
      const letter = {
        ...message,
        subscription: this.#subscription,
        group: name()?.group,
        deliveries,
        reason: kept.reason,
      }
      turns.after(() => died(letter))
    }
    this.done(entry)
  }
}
