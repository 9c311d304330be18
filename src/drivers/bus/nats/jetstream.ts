import { AckPolicy, DeliverPolicy, type JetStreamManager, jetstreamManager } from '@nats-io/jetstream'
import { type Msg, nanos } from '@nats-io/transport-node'
import { isMissing, toDriverError } from './faults.ts'
import { type Insistence, insist } from './insist.ts'
import type { NatsLink } from './link.ts'

/** How long the server keeps a consumer that nobody asks, in milliseconds; one that is gone by then is made again. */
const IDLE_MS = 300_000

/** How long an answer is waited for, in milliseconds. */
const PATIENCE_MS = 7_000
/** When it is asked for again, in milliseconds: while a stream of a cluster has no leader, nobody hears what is asked of it. */
const AGAIN_MS = [500, 1_500, 2_500, 3_500, 4_500, 5_500]
/** The same for a consumer: a cluster gives some of them to a server that was killed a moment ago, and says nothing then. */
const CONSUMER_AGAIN_MS = [250, 500, 1_000, ...AGAIN_MS.slice(1)]

/** A stream as it stands. */
export interface StreamState {
  readonly first: number
  /** The sequence of the last message that was ever stored. */
  readonly last: number
  readonly messages: number
  /** When it was made. */
  readonly created: string
}

/** A message as it lies in a stream. */
export interface KeptMessage {
  readonly seq: number
  readonly subject: string
  /** Milliseconds since 1970. */
  readonly timestamp: number
  readonly headers: Msg['headers']
  readonly data: Uint8Array
}

/** What a consumer reads, and from where. */
export interface ConsumerTerms {
  /** A subject with or without wildcards. */
  readonly filter: string
  /** The sequence behind which it begins. */
  readonly after: number
  /** Begins with the newest message of each subject instead. */
  readonly newestOfEach: boolean
  /** Reads what messages say in their headers alone. */
  readonly headersOnly: boolean
}

/** What is asked of JetStream besides writing and reading on. All of it may be asked twice, and is where the connection breaks. Rejects with DriverError. */
export class JetStream {
  readonly link: NatsLink
  /** Whether streams have copies on other servers, of which one may lag behind. */
  readonly hasCopies: boolean
  readonly #manager: JetStreamManager

  private constructor(link: NatsLink, manager: JetStreamManager, hasCopies: boolean) {
    this.link = link
    this.#manager = manager
    this.hasCopies = hasCopies
  }

  /** Asks nothing yet. @param replicas of each stream */
  static async by(link: NatsLink, replicas: number): Promise<JetStream> {
    const manager = await jetstreamManager(link.connection, { checkAPI: false, timeout: PATIENCE_MS })
    return new JetStream(link, manager, replicas > 1)
  }

  /** A stream as it stands now. */
  async state(stream: string): Promise<StreamState> {
    const { state, created } = await this.#ask(({ streams }) => streams.info(stream))
    return { first: state.first_seq, last: state.last_seq, messages: state.messages, created }
  }

  /**
   * Resolves once the stream's leader has all that was acknowledged before: one that was elected a moment ago may answer as of before that. It is a change of
   * nothing, which the leader answers when it has made all changes ahead of it.
   * @param unused a subject of the stream that has no messages
   */
  async settle(stream: string, unused: string): Promise<void> {
    if (this.hasCopies) await this.purge(stream, unused)
  }

  /** How many messages of a subject there are. */
  async count(stream: string, subject: string): Promise<number> {
    const { state } = await this.#ask(({ streams }) => streams.info(stream, { subjects_filter: subject }))
    return state.subjects?.[subject] ?? 0
  }

  /** The message with a sequence, or the last one of a subject; undefined where there is none. */
  async message(
    stream: string,
    which: { readonly seq: number } | { readonly lastOf: string },
  ): Promise<KeptMessage | undefined> {
    const query = 'seq' in which ? { seq: which.seq } : { last_by_subj: which.lastOf }
    // asked of the stream's leader: a copy that lags behind would not have it yet
    const found = await this.#ask(({ streams }) => streams.getMessage(stream, query))
    if (found === null) return undefined
    const { seq, subject, time, header: headers, data } = found
    return { seq, subject, timestamp: time.getTime(), headers, data }
  }

  /** The sequence of the first message of a subject, with or without wildcards, from a sequence on; undefined where there is none. */
  async firstOf(stream: string, subject: string, from = 1): Promise<number | undefined> {
    const query = { seq: from, next_by_subj: subject }
    // asked of the leader, as above
    return (await this.#ask(({ streams }) => streams.getMessage(stream, query)))?.seq
  }

  /** Takes a message away. False where there was none; one that is missing when it is asked for again was taken by the first time, whose answer got lost. */
  async remove(stream: string, seq: number): Promise<boolean> {
    let times = 0
    try {
      return await this.#ask(({ streams }) => {
        times++
        return streams.deleteMessage(stream, seq, false)
      })
    } catch (fault) {
      if (isMissing(fault)) return times > 1
      throw fault
    }
  }

  /** Takes all messages of a subject away that are before a sequence. Default: all. */
  async purge(stream: string, filter: string, before?: number): Promise<void> {
    // for the server all are before its first message
    if (before !== undefined && before <= 1) return
    await this.#ask(({ streams }) => streams.purge(stream, { filter, ...(before !== undefined && { seq: before }) }))
  }

  /** Makes a consumer in the server's memory that needs no acknowledgements; gives its name, and how many messages it has to come. */
  async consume(stream: string, terms: ConsumerTerms): Promise<{ readonly name: string; readonly pending: number }> {
    const begin = terms.newestOfEach
      ? { deliver_policy: DeliverPolicy.LastPerSubject }
      : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: terms.after + 1 }
    const made = await this.#ask(
      ({ consumers }) =>
        consumers.add(stream, {
          ...begin,
          filter_subject: terms.filter,
          ack_policy: AckPolicy.None,
          inactive_threshold: nanos(IDLE_MS),
          mem_storage: true,
          headers_only: terms.headersOnly,
          num_replicas: 1,
        }),
      { again: CONSUMER_AGAIN_MS, surplus: ({ name }) => this.forget(stream, name) },
    )
    return { name: made.name, pending: made.num_pending }
  }

  /** How many messages a consumer has to come. */
  async pending(stream: string, consumer: string): Promise<number> {
    return (await this.#ask(({ consumers }) => consumers.info(stream, consumer))).num_pending
  }

  /** Lets the server forget a consumer, now or when it finds that nobody asks it. */
  forget(stream: string, consumer: string): void {
    if (this.link.isUp) void this.#manager.consumers.delete(stream, consumer).catch(() => {})
  }

  async #ask<T>(
    question: (manager: JetStreamManager) => Promise<T>,
    how: Partial<Pick<Insistence<T>, 'again' | 'surplus'>> = {},
  ): Promise<T> {
    const { link } = this
    try {
      return await link.ask(() => {
        const { epoch } = link
        // on the next connection it is asked anew
        const isWanted = () => link.isUp && link.epoch === epoch
        return insist(() => question(this.#manager), { again: AGAIN_MS, ...how, isWanted })
      })
    } catch (fault) {
      throw toDriverError(fault)
    }
  }
}
