import type { Publication, Receipt } from '../publisher.ts'
import { isOvertaken, toDriverError } from './faults.ts'
import type { JetStream } from './jetstream.ts'
import { dedupId, dueOf, placingId, storedMessage } from './message-format.ts'
import type { Stored, StreamWriter } from './stream-writer.ts'
import { messageSubject, type Streams } from './streams.ts'

/** What became of a message that was sent. */
export interface Sent extends Stored {
  /** It waits for this time, milliseconds since 1970. */
  readonly deliverAt?: number
}

/** What receipts are made with. */
export interface ReceiptsOptions {
  readonly jetStream: JetStream
  readonly streams: Streams
  readonly writer: StreamWriter
}

/** Tells publishers what became of their messages: of a duplicate, what became of the first one, and whether that says the same. */
export class Receipts {
  readonly #options: ReceiptsOptions

  constructor(options: ReceiptsOptions) {
    this.#options = options
  }

  /** The receipt of a message. Rejects with DriverError. */
  async of(message: Publication, { seq, duplicate, deliverAt }: Sent): Promise<Receipt> {
    const receipt = { id: message.id, topic: message.topic, duplicate }
    if (duplicate) return { ...receipt, ...(await this.#first(message, seq)) }
    return deliverAt === undefined ? { ...receipt, offset: seq } : { ...receipt, deliverAt }
  }

  async #first(message: Publication, seq: number): Promise<Pick<Receipt, 'offset' | 'deliverAt' | 'differs'>> {
    const { jetStream, streams } = this.#options
    const found = await jetStream.message(streams.messages, { seq })
    if (found === undefined) return this.#placed(message, seq)
    const due = dueOf(found.headers)
    const place = due === undefined ? { offset: seq } : { deliverAt: due.at }
    return storedMessage(streams, found, found).payload === message.payload ? place : { ...place, differs: true }
  }

  /** One that waited has another sequence in its place; retention may have taken any other. */
  async #placed(message: Publication, seq: number): Promise<Pick<Receipt, 'offset'>> {
    const placed = await this.#find(message)
    return { offset: placed ?? seq }
  }

  /** Asks for the sequence of an id: nothing is stored, as a stream that has had messages can't be empty, and an id that is known is told before that. */
  async #find(message: Publication): Promise<number | undefined> {
    const { streams, writer } = this.#options
    const write = { subject: messageSubject(streams, message.topic), payload: '', id: placingId(dedupId(message)) }
    try {
      return (await writer.write({ ...write, expectOfStream: 0 })).seq
    } catch (fault) {
      if (isOvertaken(fault)) return undefined
      throw toDriverError(fault)
    }
  }
}
