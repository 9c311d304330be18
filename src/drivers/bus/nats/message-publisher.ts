import { DriverError } from '../../driver-error.ts'
import type { BusLimits } from '../contract.ts'
import { isDelay, WRONG_DELAY } from '../delay.ts'
import { keyIn } from '../message-key.ts'
import { type BusPublisher, MOST_ATOMIC, type Publication, type Receipt } from '../publisher.ts'
import type { DelayedMessages } from './delayed-messages.ts'
import { toDriverError, tooLarge } from './faults.ts'
import { KeyOrder } from './key-order.ts'
import { dedupId, idBehind, laterWrite, messageWrite, ROOM } from './message-format.ts'
import { type Names, topicSubject } from './names.ts'
import type { News } from './news.ts'
import type { Receipts, Sent } from './receipts.ts'
import { bytesOf, type StreamWriter, type Write } from './stream-writer.ts'
import type { Streams } from './streams.ts'

const MAX_TOPICS = 10_000
/** Whoever may make no more topics asks in vain before somebody changes the configuration. */
const NO_TOPIC_GOES_S = 3_600
/** Messages of one call that are on their way at a time. */
const PART = 1_000
const NOT_STORED: Sent = { seq: 0, duplicate: true, storedAs: '' }

/** What messages are published with. */
export interface MessagePublisherOptions {
  readonly streams: Streams
  readonly writer: StreamWriter
  readonly names: Names
  readonly delayed: Pick<DelayedMessages, 'known' | 'mayKnow' | 'now' | 'stored' | 'withRoom'>
  readonly receipts: Receipts
  readonly news: Pick<News, 'published'>
  readonly limits: BusLimits
}

/** Stores messages, each under its topic, and tells everybody. */
export class MessagePublisher implements BusPublisher {
  readonly #options: MessagePublisherOptions

  constructor(options: MessagePublisherOptions) {
    this.#options = options
  }

  async publish(
    messages: readonly Publication[],
    owner?: string,
    { atomic = false }: { readonly atomic?: boolean } = {},
  ): Promise<readonly Receipt[]> {
    if (atomic && messages.length > MOST_ATOMIC) {
      const message = `at most ${MOST_ATOMIC} messages are published all or none: publish them in parts`
      throw new DriverError('invalid', message)
    }
    if (!messages.every(({ delayMs = 0 }) => isDelay(delayMs))) throw new DriverError('invalid', WRONG_DELAY)
    for (const message of messages) this.checkSize(message)
    const toWait = messages.filter(({ delayMs = 0 }) => delayMs > 0).map(dedupId)
    const receipts = await this.#options.delayed.withRoom(toWait, async () => {
      await this.#makeTopics(messages, owner)
      return this.#storeAll(messages)
    })
    const clash = atomic ? receipts.find(({ differs }) => differs) : undefined
    if (clash === undefined) return receipts
    throw new DriverError(
      'conflict',
      `the message ${clash.id} of ${clash.topic} has the id of another, and says something else`,
    )
  }

  checkSize(message: Publication): void {
    const { streams, writer } = this.#options
    const { mostBytes } = writer
    if (mostOf(message) + ROOM <= mostBytes) return
    const bytes = bytesOf(messageWrite(streams, message))
    if (bytes + ROOM > mostBytes) throw tooLarge(`a message of ${message.topic}`, bytes, mostBytes, ROOM)
  }

  async #storeAll(messages: readonly Publication[]): Promise<readonly Receipt[]> {
    const receipts: Receipt[] = []
    for (let at = 0; at < messages.length; at += PART)
      receipts.push(...(await this.#store(messages.slice(at, at + PART))))
    return receipts
  }

  /** Stores a part: when one is refused, all that were on their way have their answer, so that nothing of it comes later. */
  async #store(messages: readonly Publication[]): Promise<readonly Receipt[]> {
    const order = new KeyOrder()
    const writes = await Promise.allSettled(
      messages.map((message) => order.do(keyIn(JSON.stringify(message.attributes)), () => this.#send(message))),
    )
    this.#tell(messages, writes)
    const refused = writes.find((write) => write.status === 'rejected')
    if (refused) throw toDriverError(refused.reason)
    const receipts = messages.map((message, at) => {
      const write = writes[at]
      return this.#options.receipts.of(message, write?.status === 'fulfilled' ? write.value : NOT_STORED)
    })
    return Promise.all(receipts)
  }

  async #send(message: Publication): Promise<Sent> {
    const { streams, delayed } = this.#options
    const { topic, delayMs = 0 } = message
    const write = messageWrite(streams, message)
    // most are new: they needn't wait for a turn of the loop
    const known = delayed.mayKnow(write.id) ? await delayed.known(write.id) : undefined
    if (known !== undefined) return { seq: known.seq, duplicate: true, storedAs: known.storedAs }
    if (delayMs <= 0) return this.#write(write)
    const due = { topic, at: Math.ceil(delayed.now() + delayMs), delayMs: Math.ceil(delayMs) }
    const sent = await this.#write(laterWrite(streams, message, due))
    if (!sent.duplicate) delayed.stored(message, due, sent.seq, sent.storedAs)
    return { ...sent, deliverAt: due.at }
  }

  /** Writes it, under another id where the message that the server knows by this one was cancelled. */
  async #write(write: Write & { readonly id: string }): Promise<Sent> {
    const { writer, receipts } = this.#options
    for (let next = write; ; ) {
      const { seq, duplicate } = await writer.write(next)
      if (!duplicate || !(await receipts.isCancelled(seq, next.id))) return { seq, duplicate, storedAs: next.id }
      next = { ...write, id: idBehind(write.id, seq) }
    }
  }

  /** A copy, too: whoever stored the first one may have died before it could tell. */
  #tell(messages: readonly Publication[], writes: readonly PromiseSettledResult<Sent>[]): void {
    const topics = new Set<string>()
    const seqs: number[] = []
    let isDelayed = false
    for (const [at, write] of writes.entries()) {
      if (write.status !== 'fulfilled') continue
      const { topic = '', delayMs = 0 } = messages[at] ?? {}
      if (delayMs > 0) isDelayed = true
      else topics.add(topic)
      if (!write.value.duplicate) seqs.push(write.value.seq)
    }
    if (isDelayed || topics.size > 0) this.#options.news.published({ topics: [...topics], delayed: isDelayed }, seqs)
  }

  /** Makes those topics that there aren't yet. @throws DriverError `too-many` where there is no place for them */
  async #makeTopics(messages: readonly Publication[], owner: string | undefined): Promise<void> {
    const { names } = this.#options
    if (messages.every(({ topic }) => names.topics.has(topic))) return
    await names.refresh()
    await names.change(() => {
      const unknown = [...new Set(messages.map(({ topic }) => topic))].filter((topic) => !names.topics.has(topic))
      this.#checkRoom(unknown, owner)
      const record = owner === undefined ? {} : { owner }
      return { changes: unknown.map((topic) => ({ subject: topicSubject(this.#options.streams, topic), record })) }
    })
  }

  #checkRoom(unknown: readonly string[], owner: string | undefined): void {
    const { names, limits } = this.#options
    const { maxTopics = MAX_TOPICS, maxTopicsPerOwner = maxTopics, reservedTopics = [] } = limits
    const reserved = new Set(reservedTopics)
    const isCounted = (topic: string) => !reserved.has(topic)
    const wanted = unknown.filter(isCounted).length
    if (wanted === 0) return
    const there = [...names.topics.values()].filter(({ name }) => isCounted(name))
    const own = owner === undefined ? 0 : there.filter((topic) => topic.owner === owner).length
    if (owner !== undefined && own + wanted > maxTopicsPerOwner) throw tooMany(`${owner} has`, 'one may have')
    if (there.length + wanted > maxTopics) throw tooMany('there are', 'there may be')
  }
}

function tooMany(whose: string, most: string): DriverError {
  const message = `${whose} as many topics as ${most}, and none ever goes: put what varies into the message`
  return new DriverError('too-many', message, { retryAfterS: NO_TOPIC_GOES_S })
}

/** Bytes that a message has at most as it is stored: for most of them it needn't be known better. */
function mostOf({ id, topic, payload, attributes }: Publication): number {
  let characters = 2 * (id.length + topic.length)
  for (const [name, value] of Object.entries(attributes)) characters += name.length + value.length + 6
  // a character of the payload has 3 bytes at most, and one of what is beside it 6 where JSON escapes it
  return payload.length * 3 + characters * 6 + 512
}
