import type { Publication, Receipt } from '../publisher.ts'
import { isOvertaken, toDriverError } from './faults.ts'
import type { JetStream } from './jetstream.ts'
import { dueOf, placingId, storedMessage } from './message-format.ts'
import type { Stored, StreamWriter } from './stream-writer.ts'
import { laterSubject, type Streams } from './streams.ts'

/** What became of a message that was sent. */
export interface Sent extends Stored {
  /** What the server knows it by. */
  readonly storedAs: string
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
  async of(message: Publication, { seq, duplicate, deliverAt, storedAs }: Sent): Promise<Receipt> {
    const receipt = { id: message.id, topic: message.topic, duplicate }
    if (duplicate) return { ...receipt, ...(await this.#first(message, seq, storedAs)) }
    return deliverAt === undefined ? { ...receipt, offset: seq } : { ...receipt, deliverAt }
  }

  /** Whether what the server knows by an id was taken away before it had a place. Rejects with DriverError. */
  async isCancelled(seq: number, storedAs: string): Promise<boolean> {
    const { jetStream, streams } = this.#options
    // retention keeps what the server knows by its id
    if ((await jetStream.message(streams.messages, { seq })) !== undefined) return false
    return (await this.#placeOf(storedAs)) === undefined
  }

  async #first(
    message: Publication,
    seq: number,
    storedAs: string,
  ): Promise<Pick<Receipt, 'offset' | 'deliverAt' | 'differs'>> {
    const { jetStream, streams } = this.#options
    const found = await jetStream.message(streams.messages, { seq })
    // one that waited has another sequence in its place; retention may have taken any other
    if (found === undefined) return { offset: (await this.#placeOf(storedAs)) ?? seq }
    const due = dueOf(found.headers)
    const place = due === undefined ? { offset: seq } : { deliverAt: due.at }
    return storedMessage(streams, found, found).payload === message.payload ? place : { ...place, differs: true }
  }

  /**
   * Asks for the sequence that one which waited has in its place: nothing is stored, as a stream that has had messages can't be empty, and an id that is known is
   * told before that.
   */
  async #placeOf(storedAs: string): Promise<number | undefined> {
    const { streams, writer } = this.#options
    const write = { subject: laterSubject(streams), payload: '', id: placingId(storedAs) }
    try {
      return (await writer.write({ ...write, expectOfStream: 0 })).seq
    } catch (fault) {
      if (isOvertaken(fault)) return undefined
      throw toDriverError(fault)
    }
  }
}
