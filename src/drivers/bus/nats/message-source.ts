import type { StoredMessage } from '../publisher.ts'
import type { JetStream } from './jetstream.ts'
import { storedMessage } from './message-format.ts'
import { type StreamMessage, StreamReader } from './stream-reader.ts'
import { messageSubject, type Streams } from './streams.ts'

/** Messages read ahead at least: a pull of one costs no round trip each then. */
const LEAST_PART = 32
/** And at most. */
const MOST_PART = 256

/** What messages are read with. */
export interface MessageSourceOptions {
  readonly jetStream: JetStream
  readonly streams: Streams
  /** The topic or pattern. */
  readonly topic: string
}

/** The messages of a topic or pattern, in order, read ahead a little. */
export class MessageSource {
  readonly #options: MessageSourceOptions
  #reader: StreamReader | undefined
  #ahead: readonly StreamMessage[] = []
  #at = 0
  #mayHaveMore = true

  constructor(options: MessageSourceOptions) {
    this.#options = options
  }

  /** Begins behind a sequence. */
  begin(after: number): void {
    const { jetStream, streams, topic } = this.#options
    const filter = messageSubject(streams, topic)
    this.#reader = new StreamReader({ jetStream, stream: streams.messages, filter, after })
  }

  /** Something may have come since it was found to be empty. */
  mayHaveMore(): void {
    this.#mayHaveMore = true
  }

  /** The next message, of `wanted` that are; undefined where there is none now. Rejects with DriverError. */
  async next(wanted: number): Promise<StoredMessage | undefined> {
    if (this.#at >= this.#ahead.length && this.#mayHaveMore) await this.#readAhead(wanted)
    const message = this.#ahead[this.#at]
    if (message === undefined) return undefined
    this.#at++
    return storedMessage(this.#options.streams, message, message)
  }

  /** How many are still to come. Rejects with DriverError. */
  async pending(): Promise<number> {
    return this.#ahead.length - this.#at + ((await this.#reader?.pending()) ?? 0)
  }

  /** The message with an offset; undefined where it is gone. Rejects with DriverError. */
  async at(offset: number): Promise<StoredMessage | undefined> {
    const { jetStream, streams } = this.#options
    const found = await jetStream.message(streams.messages, { seq: offset })
    return found && storedMessage(streams, found, found)
  }

  /** Lets go of its reader. */
  close(): void {
    this.#reader?.close()
  }

  async #readAhead(wanted: number): Promise<void> {
    const part = Math.min(MOST_PART, Math.max(LEAST_PART, wanted))
    this.#mayHaveMore = false
    try {
      this.#ahead = (await this.#reader?.read(part)) ?? []
      this.#at = 0
      if (this.#reader?.mayHaveMore) this.#mayHaveMore = true
    } catch (fault) {
      this.#mayHaveMore = true
      throw fault
    }
  }
}
