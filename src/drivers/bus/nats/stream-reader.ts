import { setTimeout as sleep } from 'node:timers/promises'
import { createInbox, type Msg, type Subscription } from '@nats-io/transport-node'
import { DriverError } from '../../driver-error.ts'
import { toDriverError } from './faults.ts'
import type { ConsumerTerms, JetStream, KeptMessage } from './jetstream.ts'

/** A part that isn't complete by then never will be, in milliseconds. */
const ANSWER_MS = 3_000
/** A consumer that has sent nothing at all by then is taken for lost with its server, and made again, in milliseconds; the next one has all of the time. */
const SILENCE_MS = 1_000
/** Most bytes that are on their way to one reader: what is more it has to read on for. */
const MOST_BYTES = 8 * 1024 * 1024
/** What the server counts of a message besides what was published: its subject, and where it stands. */
const ENVELOPE = 4_096

/** By so much longer it waits with each read in vain while the stream has more, in milliseconds. */
const LAG_MS = 20
const MOST_VAIN = 15

/** A message as a reader gets it. */
export interface StreamMessage extends KeptMessage {
  /** How many more there are behind it that fit. */
  readonly behind: number
}

/** What is read, and from where. */
export interface StreamReaderOptions
  extends Pick<ConsumerTerms, 'filter' | 'after'>,
    Partial<Pick<ConsumerTerms, 'newestOfEach' | 'headersOnly'>> {
  readonly jetStream: JetStream
  readonly stream: string
}

/**
 * Reads what fits a subject from a stream, in order, from a place on: by a consumer in the server's memory that needs no acknowledgements. It keeps its
 * place itself and makes the consumer again when that is lost, so that a server's restart, a lost answer or a break of the connection skip nothing.
 */
export class StreamReader {
  readonly #options: StreamReaderOptions
  #place: number
  #inbox = ''
  #subscription: Subscription | undefined
  #consumer: string | undefined
  #newestOfEach: boolean
  #mayHaveMore = true
  /** The stream's leader has said that there is no more where this consumer said so. */
  #isTrusted = false
  #reading: Promise<unknown> = Promise.resolve()
  #take: ((message: Msg) => void) | undefined
  #asked = 0
  /** How many messages the consumer has sent. */
  #delivered = 0
  /** The connection by which the consumer was asked last. */
  #epoch = 0

  constructor(options: StreamReaderOptions) {
    this.#options = options
    this.#place = options.after
    this.#newestOfEach = options.newestOfEach ?? false
  }

  /** The sequence of the last message it gave, or where it began. */
  get place(): number {
    return this.#place
  }

  /** Whether there may be more than it gave last, which is then no more than `max`, or than is on its way at a time. */
  get mayHaveMore(): boolean {
    return this.#mayHaveMore
  }

  /** What is there, in parts of up to `max` messages: all that was stored before it is called, by whomever. Rejects with DriverError. */
  async *readOn(max: number): AsyncGenerator<readonly StreamMessage[]> {
    do {
      const part = await this.#inTurn(() => this.#readSurely(max, true))
      if (part.length > 0) yield part
    } while (this.#mayHaveMore)
  }

  /**
   * What is there now: up to `max` messages, none where there are no more. What was stored a moment ago may be missing, as the server's consumer reads from a
   * copy of the stream. Rejects with DriverError.
   */
  read(max: number): Promise<readonly StreamMessage[]> {
    return this.#inTurn(() => this.#readSurely(max, false))
  }

  /** How many messages are behind its place. Rejects with DriverError. */
  async pending(): Promise<number> {
    await this.#reading
    try {
      const consumer = await this.#made()
      return await this.#options.jetStream.pending(this.#options.stream, consumer)
    } catch (fault) {
      this.#forget()
      throw toDriverError(fault)
    }
  }

  /** Lets the server forget it. */
  close(): void {
    const consumer = this.#consumer
    this.#forget()
    if (consumer !== undefined) this.#options.jetStream.forget(this.#options.stream, consumer)
  }

  #inTurn<T>(read: () => Promise<T>): Promise<T> {
    const reading = this.#reading.then(read)
    this.#reading = reading.catch(() => {})
    return reading
  }

  /**
   * Believes no consumer that there is no more until the stream's leader has said so, too: the copy that it reads from may be one of a server that came back a
   * moment ago, and of what that gets later nobody tells.
   * @param always asks also of one that was right before, or reads from the only copy
   */
  async #readSurely(max: number, always: boolean): Promise<StreamMessage[]> {
    const { hasCopies } = this.#options.jetStream
    for (let vain = 0; ; vain++) {
      const found = await this.#read(max)
      if (this.#mayHaveMore || (!always && (this.#isTrusted || !hasCopies))) return found
      const isEnd = await this.#isAtEnd().catch((fault: unknown) => {
        if (found.length === 0) throw toDriverError(fault)
        return false
      })
      this.#isTrusted = isEnd
      if (isEnd) return found
      // the consumer lags behind, or what it sent last got lost: then it won't send it again
      this.#forget()
      if (found.length > 0) {
        this.#mayHaveMore = true
        return found
      }
      if (vain > MOST_VAIN) throw new DriverError('unavailable', 'NATS does not send what it has')
      await sleep(vain * LAG_MS)
    }
  }

  async #isAtEnd(): Promise<boolean> {
    const { jetStream, stream, filter } = this.#options
    return (await jetStream.firstOf(stream, filter, this.#place + 1)) === undefined
  }

  async #read(max: number): Promise<StreamMessage[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#options.jetStream.link.whenUp()
        return await this.#fetch(await this.#made(), max, attempt === 1 ? SILENCE_MS : ANSWER_MS)
      } catch (fault) {
        this.#forget()
        if (attempt > 1) throw toDriverError(fault)
      }
    }
  }

  /** The consumer's name; makes one where there is none on this connection. */
  async #made(): Promise<string> {
    const { jetStream, stream, filter, headersOnly = false } = this.#options
    const { link } = jetStream
    if (this.#consumer !== undefined && this.#epoch === link.epoch) return this.#consumer
    this.#forget()
    this.#inbox = createInbox()
    this.#subscription = link.listen(`${this.#inbox}.*`, (message) => this.#take?.(message))
    this.#epoch = link.epoch
    const terms = { filter, after: this.#place, newestOfEach: this.#newestOfEach, headersOnly }
    const { name } = await jetStream.consume(stream, terms)
    this.#consumer = name
    this.#delivered = 0
    return name
  }

  #forget(): void {
    this.#subscription?.unsubscribe()
    this.#subscription = undefined
    this.#consumer = undefined
    this.#isTrusted = false
  }

  #fetch(consumer: string, max: number, silenceMs: number): Promise<StreamMessage[]> {
    const { stream } = this.#options
    const { link } = this.#options.jetStream
    const { promise, resolve, reject } = Promise.withResolvers<StreamMessage[]>()
    const found: StreamMessage[] = []
    // what the server says of an earlier request may come late: each has a subject of its own
    const reply = `${this.#inbox}.${this.#asked++}`
    const late = () => over(new DriverError('unavailable', 'NATS did not send what it has in time'))
    const timer = setTimeout(late, ANSWER_MS)
    const silence = setTimeout(late, silenceMs)
    const lost = link.on('down', () => over(new DriverError('unavailable', 'the connection to NATS broke')))
    const over = (fault?: unknown, mayHaveMore = false) => {
      clearTimeout(timer)
      clearTimeout(silence)
      lost()
      this.#take = undefined
      if (fault !== undefined) {
        reject(fault)
        return
      }
      // not before: what is found and not given is read again
      this.#place = found.at(-1)?.seq ?? this.#place
      this.#newestOfEach &&= found.length === 0
      this.#mayHaveMore = mayHaveMore
      resolve(found)
    }
    this.#take = (message) => {
      clearTimeout(silence)
      const status = message.headers?.code ?? 0
      if (status === 0) {
        const [next, delivery] = streamMessage(message)
        if (delivery !== ++this.#delivered) {
          over(new DriverError('unavailable', 'a message of NATS got lost on the way'))
          return
        }
        found.push(next)
        if (found.length >= max) over(undefined, true)
      } else if (message.subject !== reply) {
        return
      } else if (status === 409 && found.length > 0) {
        // the next one would be more bytes than may be on their way
        over(undefined, true)
      } else if (status === 404 || (status === 408 && found.length > 0)) {
        over()
      } else if (status !== 100) {
        over(new DriverError('unavailable', `NATS: ${message.headers?.status}`))
      }
    }
    // a server that takes larger messages sends them to nobody who asks for less
    const request = JSON.stringify({ batch: max, no_wait: true, max_bytes: Math.max(MOST_BYTES, link.most + ENVELOPE) })
    try {
      link.connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, request, { reply })
    } catch (fault) {
      over(fault)
    }
    return promise
  }
}

/**
 * What a delivered message says of itself in its reply subject, and the how-manyth of its consumer's it is:
 * `$JS.ACK.<stream>.<consumer>.<deliveries>.<seq>.<consumer's seq>.<time>.<behind>`.
 */
function streamMessage({ reply = '', subject, headers, data }: Msg): [message: StreamMessage, delivery: number] {
  const words = reply.split('.')
  // newer servers put domain and account in front
  const [seq, delivery, time, behind] = (words.length > 9 ? words.slice(7) : words.slice(5)).map(Number)
  const timestamp = Math.floor((time ?? 0) / 1e6)
  return [{ seq: seq ?? 0, subject, timestamp, headers, data, behind: behind ?? 0 }, delivery ?? 0]
}
