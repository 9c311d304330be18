import { randomUUID } from 'node:crypto'
import { DriverError } from '../../driver-error.ts'
import type {
  DeadLetter,
  DeadLetterChoice,
  DeadLetterQuery,
  DelayedMessage,
  DelayedQuery,
  FreshDeadLetter,
  Page,
  TopicInfo,
} from '../administration.ts'
import type { Delivery, PullOptions, ReturnOptions, Subscription, SubscriptionSpec } from '../consumer.ts'
import type { Bus, BusOptions } from '../contract.ts'
import { MAX_DELAYED } from '../delay.ts'
import { pageOf } from '../page-of.ts'
import type { Publication, Receipt } from '../publisher.ts'
import type { Cursor, Reading } from '../reader.ts'
import type { NatsAddress } from './address.ts'
import { Brokers } from './brokers.ts'
import { Calls } from './calls.ts'
import { connectTo } from './connected.ts'
import { DeadLetterOffice } from './dead-letter-office.ts'
import { DeadLetters } from './dead-letters.ts'
import { DelayedMessages } from './delayed-messages.ts'
import { DelayedOffice } from './delayed-office.ts'
import { toDriverError } from './faults.ts'
import type { JetStream } from './jetstream.ts'
import { Leftovers } from './leftovers.ts'
import type { NatsLink } from './link.ts'
import { MessagePublisher } from './message-publisher.ts'
import { MessageReader } from './message-reader.ts'
import { Names, type SubscriptionName } from './names.ts'
import { News } from './news.ts'
import { Receipts } from './receipts.ts'
import { Retention } from './retention.ts'
import { notesOn } from './server-check.ts'
import { StreamWriter } from './stream-writer.ts'
import { makeStreams, type Streams, streamsOf } from './streams.ts'
import { Subscribing, termsOf } from './subscribing.ts'
import { Subscriptions } from './subscriptions.ts'
import { listTopics } from './topic-list.ts'
import { WriteCheck } from './write-check.ts'

const KEEP_MESSAGES = 100_000
/** Subscriptions asked for at a time. */
const AT_ONCE = 32

type SubscriptionWatcher = Parameters<Bus['watchSubscriptions']>[0]

/** The durable bus on NATS JetStream: puts connection, names, messages and subscriptions together behind the contract. */
export class NatsBus implements Bus {
  readonly unsound: Promise<DriverError> = new Promise(() => {})
  readonly notes: readonly string[]
  readonly #link: NatsLink
  readonly #jetStream: JetStream
  readonly #streams: Streams
  readonly #writer: StreamWriter
  readonly #news: News
  readonly #names: Names
  readonly #publisher: MessagePublisher
  readonly #reader: MessageReader
  readonly #delayed: DelayedMessages
  readonly #brokers: Brokers
  readonly #calls: Calls
  readonly #leftovers: Leftovers
  readonly #subscribing: Subscribing
  readonly #subscriptions: Subscriptions
  readonly #office: DeadLetterOffice
  readonly #delayedOffice: DelayedOffice
  readonly #writeCheck: WriteCheck
  readonly #retention: Retention
  readonly #watchers = new Set<SubscriptionWatcher>()
  readonly #mourners = new Set<(letter: FreshDeadLetter) => void>()
  readonly #underWay = new Set<Promise<unknown>>()
  #isClosed = false

  private constructor(
    link: NatsLink,
    jetStream: JetStream,
    address: NatsAddress,
    options: BusOptions,
    random: () => number,
  ) {
    const { dedupMs } = address
    const { clock, maxDelayed: max = MAX_DELAYED, keepMessages = KEEP_MESSAGES } = options
    this.notes = notesOn(link.info?.version ?? '', address.replicas)
    const streams = streamsOf(address.name)
    const me = randomUUID().slice(0, 13)
    const monotonic = () => clock.monotonic()
    this.#link = link
    this.#jetStream = jetStream
    this.#streams = streams
    const writer = new StreamWriter(link, monotonic)
    this.#writer = writer
    const newest = async () => {
      const [messages, byName] = await Promise.all([jetStream.state(streams.messages), jetStream.state(streams.names)])
      return { messages: messages.last, names: byName.last }
    }
    const news = new News({ link, streams, broker: me, newest })
    this.#news = news
    const names = new Names({ jetStream, streams, writer, news, changed: (id, name) => this.#changed(id, name) })
    this.#names = names
    this.#reader = new MessageReader({ jetStream, streams })
    const brokers = new Brokers({ link, streams, me, now: monotonic })
    const receipts = new Receipts({ jetStream, streams, writer })
    const delayed = new DelayedMessages({ jetStream, streams, writer, receipts, brokers, news, clock, dedupMs, max })
    this.#delayed = delayed
    this.#delayedOffice = new DelayedOffice(delayed, streams)
    this.#writeCheck = new WriteCheck({ jetStream, streams, writer, now: monotonic })
    this.#retention = new Retention({
      jetStream,
      streams,
      names,
      keepMessages,
      dedupMs,
      now: () => clock.now(),
      settledUpTo: async (id) => (await this.#subscriptions.describe(id)).settledUpTo,
    })
    this.#publisher = new MessagePublisher({
      streams,
      writer,
      names,
      delayed,
      receipts,
      news,
      limits: options,
    })
    this.#brokers = brokers
    const calls = new Calls({ link, streams, brokers, me })
    this.#calls = calls
    const deadLetters = new DeadLetters({ jetStream, streams, writer })
    this.#leftovers = new Leftovers({ jetStream, streams, names, deadLetters })
    this.#subscribing = new Subscribing({ streams, names, limits: options, now: () => clock.now() })
    this.#subscriptions = new Subscriptions({
      jetStream,
      streams,
      writer,
      clock,
      random,
      me,
      names,
      brokers,
      calls,
      deadLetters,
      died: (letter) => this.#died(letter),
      idle: (id) => void this.unsubscribe(id).catch(() => {}),
    })
    this.#office = new DeadLetterOffice({ deadLetters, subscriptions: this.#subscriptions })
    news.on(({ topics, names: haveChanged, delayed: moreDelayed }) => {
      if (topics !== undefined) {
        this.#reader.heard(topics)
        this.#subscriptions.heard(topics)
      }
      if (moreDelayed) void delayed.refresh().catch(() => news.again({ delayed: true }))
      if (haveChanged) void this.#refreshNames().catch(() => news.again({ names: true }))
    })
  }

  /** Connects, and makes the streams that aren't there. Rejects with DriverError, see BusDriver. */
  static async open(options: BusOptions, random: () => number): Promise<NatsBus> {
    const { address, link, manager, jetStream, streams } = await connectTo(options.url)
    try {
      await makeStreams(manager, streams, address)
      const bus = new NatsBus(link, jetStream, address, options, random)
      await link.settled()
      await bus.#refreshNames()
      await bus.#delayed.refresh()
      void bus.#leftovers.ofAll(options.clock.now()).catch(() => {})
      return bus
    } catch (fault) {
      await link.close()
      throw toDriverError(fault)
    }
  }

  publish(
    messages: readonly Publication[],
    owner?: string,
    options?: { readonly atomic?: boolean },
  ): Promise<readonly Receipt[]> {
    return this.#do(async () => {
      const receipts = await this.#publisher.publish(messages, owner, options)
      for (const { topic, duplicate } of receipts) if (!duplicate) this.#retention.published(topic)
      return receipts
    })
  }

  checkSize(message: Publication): void {
    this.#publisher.checkSize(message)
  }

  subscribe(spec: SubscriptionSpec): Promise<Subscription> {
    return this.#do(async () => {
      const after = this.#reader.seqOf(await this.#reader.place(spec.topic, spec.from ?? 'new'))
      const name = await this.#subscribing.subscribe(spec, after)
      await this.#subscriptions.used(name.id)
      return this.#described(name)
    })
  }

  unsubscribe(id: string): Promise<boolean> {
    return this.#do(async () => {
      const was = await this.#subscribing.unsubscribe(id)
      if (!was) return false
      this.#subscriptions.namesChanged()
      await this.#leftovers.ofOne(id)
      return true
    })
  }

  subscription(id: string): Promise<Subscription | undefined> {
    return this.#do(async () => {
      if (!this.#names.subscriptions.has(id)) await this.#refreshNames()
      const name = this.#names.subscriptions.get(id)
      return name && this.#describedIfThere(name)
    })
  }

  subscriptions({ topic, group, ...page }: Parameters<Bus['subscriptions']>[0] = {}): Promise<readonly Subscription[]> {
    return this.#do(async () => {
      await this.#refreshNames()
      const wanted = pageOf(this.#subscribing.list({ topic, group }), ({ id }) => id, page)
      const found: Subscription[] = []
      for (let at = 0; at < wanted.length; at += AT_ONCE) {
        const part = await Promise.all(wanted.slice(at, at + AT_ONCE).map((name) => this.#describedIfThere(name)))
        found.push(...part.filter((one) => one !== undefined))
      }
      return found
    })
  }

  watchSubscriptions(notify: SubscriptionWatcher): void {
    this.#watchers.add(notify)
  }

  async pull(id: string, options: PullOptions): Promise<readonly Delivery[]> {
    this.#refuseWhenClosed()
    this.#delayed.look()
    try {
      return await this.#subscriptions.pull(id, options)
    } catch (fault) {
      // that the bus ends is no fault of whoever waits
      if (options.waitMs > 0 && this.#isClosed) return []
      throw toDriverError(fault)
    }
  }

  ack(id: string, tokens: readonly string[]): Promise<number> {
    return this.#do(() => this.#subscriptions.ack(id, tokens))
  }

  renew(id: string, tokens: readonly string[]): Promise<number> {
    return this.#do(() => this.#subscriptions.renew(id, tokens))
  }

  async nack(id: string, tokens: readonly string[], options: ReturnOptions = {}): Promise<number> {
    const { delayMs = 0 } = options
    if (!Number.isFinite(delayMs) || delayMs < 0) {
      throw new DriverError('invalid', 'cannot give back: delayMs is a number of milliseconds from 0')
    }
    return this.#do(() => this.#subscriptions.nack(id, tokens, options))
  }

  release(id: string, consumer: string): Promise<number> {
    return this.#do(() => this.#subscriptions.release(id, consumer))
  }

  place(pattern: string, from: Parameters<Bus['place']>[1]): Promise<Cursor> {
    return this.#do(() => this.#reader.place(pattern, from))
  }

  read(pattern: string, options: { after: Cursor; limit: number; signal?: AbortSignal }): Promise<Reading> {
    return this.#do(() => this.#reader.read(pattern, options))
  }

  watch(pattern: string, notify: () => void): () => void {
    this.#refuseWhenClosed()
    return this.#reader.watch(pattern, notify)
  }

  topics(page: Partial<Page> = {}): Promise<readonly TopicInfo[]> {
    return this.#do(() => listTopics({ jetStream: this.#jetStream, streams: this.#streams, names: this.#names }, page))
  }

  deadLetters(query: DeadLetterQuery): Promise<readonly DeadLetter[]> {
    return this.#do(() => this.#office.list(query))
  }

  watchDeadLetters(notify: (letter: FreshDeadLetter) => void): void {
    this.#mourners.add(notify)
  }

  countDeadLetters(most: number): Promise<number> {
    return this.#do(() => this.#office.count(most))
  }

  redrive(choice: DeadLetterChoice): Promise<number> {
    return this.#do(() => this.#office.redrive(choice))
  }

  discard(choice: DeadLetterChoice): Promise<number> {
    return this.#do(() => this.#office.discard(choice))
  }

  delayed(query: DelayedQuery): Promise<readonly DelayedMessage[]> {
    return this.#do(() => this.#delayedOffice.list(query))
  }

  countDelayed(): Promise<number> {
    return this.#do(() => this.#delayed.count())
  }

  cancelDelayed(message: Pick<Publication, 'topic' | 'id'>): Promise<boolean> {
    return this.#do(() => this.#delayedOffice.cancel(message))
  }

  async check(signal: AbortSignal): Promise<void> {
    this.#refuseWhenClosed()
    if (signal.aborted) throw new DriverError('unavailable', 'bus: no time left to ask it', { cause: signal.reason })
    const { promise, reject } = Promise.withResolvers<never>()
    const aborted = () => reject(new DriverError('unavailable', 'NATS: no answer in time', { cause: signal.reason }))
    signal.addEventListener('abort', aborted, { once: true })
    const asking = this.#jetStream.state(this.#streams.messages)
    await Promise.race([asking, promise])
      .catch((fault: unknown) => {
        throw toDriverError(fault)
      })
      .finally(() => signal.removeEventListener('abort', aborted))
  }

  async checkWrites(): Promise<void> {
    await this.#do(() => this.#writeCheck.check())
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#news.close()
    await this.#subscriptions.close()
    await Promise.allSettled(this.#underWay)
    this.#calls.close()
    this.#reader.close()
    this.#delayed.close()
    this.#retention.close()
    this.#names.close()
    this.#brokers.close()
    this.#writer.close()
    await this.#link.close()
  }

  /** Does what was asked for before it is closed. */
  async #do<T>(does: () => Promise<T>): Promise<T> {
    this.#refuseWhenClosed()
    const doing = does()
    this.#underWay.add(doing)
    try {
      return await doing
    } catch (fault) {
      throw toDriverError(fault)
    } finally {
      this.#underWay.delete(doing)
    }
  }

  async #described(name: SubscriptionName): Promise<Subscription> {
    const { pending, leased } = await this.#subscriptions.describe(name.id)
    return { ...termsOf(name), pending, leased }
  }

  async #describedIfThere(name: SubscriptionName): Promise<Subscription | undefined> {
    return this.#described(name).catch((fault: unknown) => {
      if (isGone(fault)) return undefined
      throw fault
    })
  }

  async #refreshNames(): Promise<void> {
    await this.#names.refresh()
    this.#subscriptions.namesChanged()
  }

  #changed(id: string, name: SubscriptionName | undefined): void {
    for (const notify of this.#watchers) notify(id, name && termsOf(name))
  }

  #died(letter: FreshDeadLetter): void {
    for (const notify of this.#mourners) notify(letter)
  }

  #refuseWhenClosed(): void {
    if (this.#isClosed) throw new DriverError('closed', 'the bus is closed')
  }
}

function isGone(fault: unknown): boolean {
  return fault instanceof DriverError && fault.kind === 'not-found'
}
