import { AckPolicy, type ConsumerConfig, DeliverPolicy, type JetStreamManager } from '@nats-io/jetstream'
import { createInbox, type Msg, nanos, type Subscription } from '@nats-io/transport-node'
import { DriverError } from '../../driver-error.ts'
import { toDriverError } from './faults.ts'
import type { NatsLink } from './link.ts'

/** How long the server keeps a reader that doesn't ask, in milliseconds; one that is gone by then is made again. */
const IDLE_MS = 300_000
/** A part that isn't complete by then never will be, in milliseconds. */
const ANSWER_MS = 3_000
/** Most bytes that are on their way to one reader. */
const MOST_BYTES = 8 * 1024 * 1024

/** A message as a stream has it. */
export interface StreamMessage {
  readonly seq: number
  readonly subject: string
  /** Milliseconds since 1970. */
  readonly timestamp: number
  readonly headers: Msg['headers']
  readonly data: Uint8Array
  /** How many more there are behind it that fit. */
  readonly behind: number
}

/** What is read, and from where. */
export interface StreamReaderOptions {
  readonly link: NatsLink
  readonly manager: JetStreamManager
  readonly stream: string
  /** A subject with or without wildcards. */
  readonly filter: string
  /** The sequence behind which it begins. */
  readonly after: number
  /** Begins with the newest message of each subject instead. */
  readonly newestOfEach?: boolean
  /** Reads what messages say in their headers alone. */
  readonly headersOnly?: boolean
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
  #reading: Promise<unknown> = Promise.resolve()
  #take: ((message: Msg) => void) | undefined
  #asked = 0
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

  /** What is there now: up to `max` messages, none where there are no more. Rejects with DriverError. */
  read(max: number): Promise<StreamMessage[]> {
    const reading = this.#reading.then(() => this.#read(max))
    this.#reading = reading.catch(() => {})
    return reading
  }

  /** How many messages are behind its place. Rejects with DriverError. */
  async pending(): Promise<number> {
    await this.#reading
    try {
      const consumer = await this.#made()
      const { num_pending } = await this.#options.manager.consumers.info(this.#options.stream, consumer)
      return num_pending
    } catch (fault) {
      this.#forget()
      throw toDriverError(fault)
    }
  }

  /** Lets the server forget it. */
  close(): void {
    const consumer = this.#consumer
    this.#forget()
    if (consumer === undefined || !this.#options.link.isUp) return
    void this.#options.manager.consumers.delete(this.#options.stream, consumer).catch(() => {})
  }

  async #read(max: number): Promise<StreamMessage[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#options.link.whenUp()
        return await this.#fetch(await this.#made(), max)
      } catch (fault) {
        this.#forget()
        if (attempt > 1) throw toDriverError(fault)
      }
    }
  }

  /** The consumer's name; makes one where there is none on this connection. */
  async #made(): Promise<string> {
    const { link, manager, stream, filter, headersOnly = false } = this.#options
    if (this.#consumer !== undefined && this.#epoch === link.epoch) return this.#consumer
    this.#forget()
    this.#inbox = createInbox()
    this.#subscription = link.listen(`${this.#inbox}.*`, (message) => this.#take?.(message))
    this.#epoch = link.epoch
    const begin: Partial<ConsumerConfig> = this.#newestOfEach
      ? { deliver_policy: DeliverPolicy.LastPerSubject }
      : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: this.#place + 1 }
    const made = await manager.consumers.add(stream, {
      ...begin,
      filter_subject: filter,
      ack_policy: AckPolicy.None,
      inactive_threshold: nanos(IDLE_MS),
      mem_storage: true,
      headers_only: headersOnly,
      num_replicas: 1,
    })
    this.#consumer = made.name
    return made.name
  }

  #forget(): void {
    this.#subscription?.unsubscribe()
    this.#subscription = undefined
    this.#consumer = undefined
  }

  #fetch(consumer: string, max: number): Promise<StreamMessage[]> {
    const { link, stream } = this.#options
    const { promise, resolve, reject } = Promise.withResolvers<StreamMessage[]>()
    const found: StreamMessage[] = []
    // what the server says of an earlier request may come late: each has a subject of its own
    const reply = `${this.#inbox}.${this.#asked++}`
    const timer = setTimeout(
      () => over(new DriverError('unavailable', 'NATS did not send what it has in time')),
      ANSWER_MS,
    )
    const lost = link.on('down', () => over(new DriverError('unavailable', 'the connection to NATS broke')))
    const over = (fault?: unknown) => {
      clearTimeout(timer)
      lost()
      this.#take = undefined
      if (fault === undefined) resolve(found)
      else reject(fault)
    }
    this.#take = (message) => {
      const status = message.headers?.code ?? 0
      if (status === 0) {
        const one = streamMessage(message)
        this.#place = one.seq
        this.#newestOfEach = false
        found.push(one)
        if (found.length >= max) over()
      } else if (message.subject !== reply) {
        return
      } else if (status === 404 || (status === 408 && found.length > 0) || (status === 409 && found.length > 0)) {
        over()
      } else if (status !== 100) {
        over(new DriverError('unavailable', `NATS: ${message.headers?.status}`))
      }
    }
    const request = JSON.stringify({ batch: max, no_wait: true, max_bytes: MOST_BYTES })
    link.connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, request, { reply })
    return promise
  }
}

/** What a delivered message says of itself in its reply subject: `$JS.ACK.<stream>.<consumer>.<deliveries>.<seq>.<…>.<time>.<behind>`. */
function streamMessage({ reply = '', subject, headers, data }: Msg): StreamMessage {
  const words = reply.split('.')
  // newer servers put domain and account in front
  const [seq, , time, behind] = words.length > 9 ? words.slice(7) : words.slice(5)
  return { seq: Number(seq), subject, timestamp: Math.floor(Number(time) / 1e6), headers, data, behind: Number(behind) }
}
