import type { DatabaseSync } from 'node:sqlite'
import { DriverError } from '../../driver-error.ts'
import type { FileLock } from '../../file-lock.ts'
import { Slice } from '../../slice.ts'
import type { Soundness } from '../../soundness.ts'
import { withAdvice } from '../../sqlite-soundness.ts'
import { WriteProbe } from '../../write-probe.ts'
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
import { isDelay, MAX_DELAYED, WRONG_DELAY } from '../delay.ts'
import { pageOf } from '../page-of.ts'
import type { Publication, Receipt } from '../publisher.ts'
import type { BusReader, Cursor, Reading } from '../reader.ts'
import { Watchers } from '../watchers.ts'
import { Announcements } from './announcements.ts'
import type { Chance } from './chance.ts'
import { busFile, type OpenBusFile, REWRITE_VERSION } from './database.ts'
import { DeadLetterOffice } from './dead-letter-office.ts'
import { DeadLetters } from './dead-letters.ts'
import { DelayedMessages } from './delayed-messages.ts'
import { DelayedOffice } from './delayed-office.ts'
import { DelayedRows } from './delayed-rows.ts'
import { Dispatcher } from './dispatcher.ts'
import { FreeDisk } from './free-disk.ts'
import { GroupCommit, type Transaction } from './group-commit.ts'
import { HeldRows } from './held-rows.ts'
import { LogReader } from './log-reader.ts'
import { MessageLog, type Topic } from './message-log.ts'
import { MessageRows } from './message-rows.ts'
import { DEDUP_WINDOW } from './recent-ids.ts'
import { Retention } from './retention.ts'
import { SharedSnapshot } from './shared-snapshot.ts'
import { toDriverError } from './sqlite-fault.ts'
import { SubscriptionRows } from './subscription-rows.ts'
import type { SubscriptionState } from './subscription-state.ts'
import { Subscriptions } from './subscriptions.ts'
import { TopicRoom } from './topic-room.ts'

const MAX_TOPICS = 10_000
const MAX_SUBSCRIPTIONS = 1_000
/** Messages in one transaction, when many are published at once: some 4 ms of work. */
const PART = 500

/** Which subscriptions are listed. */
type SubscriptionFilter = NonNullable<Parameters<Bus['subscriptions']>[0]>

/** The durable bus in one SQLite file: puts log, subscriptions, dispatcher and retention together behind the contract. */
export class EmbeddedBus implements Bus {
  readonly notes = []
  readonly #path: string
  readonly #soundness: Soundness
  readonly #db: DatabaseSync
  readonly #lock: FileLock
  readonly #snapshot: SharedSnapshot
  readonly #disk: FreeDisk
  readonly #commit: GroupCommit
  readonly #log: MessageLog
  readonly #reader: LogReader
  readonly #office: DeadLetterOffice
  readonly #delayed: DelayedOffice
  readonly #subscriptions: Subscriptions
  readonly #retention: Retention
  readonly #dispatcher: Dispatcher
  readonly #watchers = new Watchers()
  readonly #probe: WriteProbe
  readonly #announcements: Announcements
  #closed = false

  /** Reads the state of a database that `openDatabase` opened; nobody else writes to it from now on. */
  constructor({ database: db, soundness, lock }: OpenBusFile, options: BusOptions, { random, freeBytes }: Chance) {
    const { clock, folder, minFreeBytes = 50_000_000, keepMessages = DEDUP_WINDOW, maxDelayed = MAX_DELAYED } = options
    const { maxTopics = MAX_TOPICS, maxSubscriptions = MAX_SUBSCRIPTIONS, reservedTopics = [] } = options
    const { maxSubscriptionsPerOwner = maxSubscriptions, maxTopicsPerOwner = maxTopics } = options
    const rows = new MessageRows(db)
    this.#db = db
    this.#lock = lock
    this.#snapshot = new SharedSnapshot(db)
    this.#disk = new FreeDisk(db, { clock, minFreeBytes, freeBytes: () => freeBytes(folder) })
    const deadLetters = new DeadLetters(db)
    const delayedRows = new DelayedRows(db)
    const delayed = new DelayedMessages({
      rows: delayedRows,
      max: maxDelayed,
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      added: () => this.#dispatcher.placeDue(),
    })
    this.#log = new MessageLog({
      rows,
      delayed,
      room: new TopicRoom({ maxTopics, maxTopicsPerOwner, reservedTopics }),
      now: () => clock.now(),
      seed: Math.floor(random() * 2 ** 32),
    })
    this.#reader = new LogReader({
      log: this.#log,
      look: (look) => {
        this.#refuseWhenClosed()
        return this.#reading(look)
      },
    })
    this.#path = busFile(folder)
    this.#soundness = soundness
    this.#commit = new GroupCommit(db, () => this.#log.writeHeld(), soundness)
    const touch = db.prepare(REWRITE_VERSION)
    this.#probe = new WriteProbe({
      folder,
      clock,
      write: () =>
        this.#commit.run(() => {
          this.#disk.wantRoom()
          touch.run()
        }),
    })
    const parts = {
      log: this.#log,
      rows: new SubscriptionRows(db),
      held: new HeldRows(db),
      deadLetters,
      tally: { count: 0 },
      monotonic: () => clock.monotonic(),
      now: () => clock.now(),
      random,
      died: (letter: FreshDeadLetter) => this.#office.died(letter),
      settled: (topic: Topic) => this.#dispatcher.considerTrimming(topic),
    }
    this.#subscriptions = new Subscriptions(parts, { max: maxSubscriptions, maxPerOwner: maxSubscriptionsPerOwner })
    this.#office = new DeadLetterOffice({
      commit: this.#commit,
      log: this.#log,
      deadLetters,
      subscriptions: this.#subscriptions,
      wake: (subscription) => this.#dispatcher.wake(subscription),
    })
    this.#delayed = new DelayedOffice({ commit: this.#commit, log: this.#log, rows: delayedRows, delayed })
    this.#retention = new Retention({
      log: this.#log,
      rows,
      keepMessages,
      settledUpTo: (topic) => this.#subscriptions.settledUpTo(topic),
      monotonic: () => clock.monotonic(),
    })
    this.#dispatcher = new Dispatcher({
      clock,
      commit: this.#commit,
      log: this.#log,
      subscriptions: this.#subscriptions,
      retention: this.#retention,
      delayed,
      place: (tx, messages) => this.#announcements.onCommit(tx, this.#log.place(tx, messages)),
    })
    this.#announcements = new Announcements({
      watchers: this.#watchers,
      subscriptions: this.#subscriptions,
      dispatcher: this.#dispatcher,
    })
    for (const topic of this.#log.topics()) this.#dispatcher.considerTrimming(topic)
    this.#dispatcher.tick()
  }

  publish(messages: readonly Publication[], owner?: string, { atomic = false } = {}): Promise<readonly Receipt[]> {
    const wrong = messages.some(({ delayMs }) => delayMs !== undefined && !isDelay(delayMs))
    if (wrong) return Promise.reject(new DriverError('invalid', WRONG_DELAY))
    if (atomic) return this.#append(messages, messages, owner, true)
    return messages.length <= PART ? this.#append(messages, messages, owner) : this.#publishMany(messages, owner)
  }

  checkSize(): void {}

  subscribe(spec: SubscriptionSpec): Promise<Subscription> {
    return this.#commit.run((tx) => {
      this.#log.writeHeld()
      const subscription = this.#subscriptions.subscribe(tx, spec, this.#beginning(spec))
      tx.after(() => this.#dispatcher.used(subscription))
      return subscription.describe()
    })
  }

  unsubscribe(id: string): Promise<boolean> {
    return this.#commit.run((tx) => {
      const subscription = this.#subscriptions.find(id)
      if (subscription === undefined) return false
      this.#subscriptions.remove(tx, subscription)
      tx.after(() => {
        subscription.waiters.end()
        for (const topic of this.#log.topics()) this.#dispatcher.considerTrimming(topic)
      })
      return true
    })
  }

  async subscription(id: string): Promise<Subscription | undefined> {
    this.#refuseWhenClosed()
    this.#dispatcher.tick()
    return this.#reading(() => this.#subscriptions.find(id)?.describe())
  }

  async subscriptions({ topic, group, ...page }: SubscriptionFilter = {}): Promise<readonly Subscription[]> {
    this.#refuseWhenClosed()
    this.#dispatcher.tick()
    const described: Subscription[] = []
    const slice = new Slice()
    const wanted = [...this.#subscriptions.all()].filter(
      (one) => (topic === undefined || one.source === topic) && (group === undefined || one.group === group),
    )
    for (const subscription of pageOf(wanted, ({ id }) => id, page)) {
      if (slice.isOver) {
        await slice.next()
        this.#refuseWhenClosed()
      }
      described.push(this.#reading(() => subscription.describe()))
    }
    return described
  }

  watchSubscriptions(): void {
    // whoever asks this process changes them himself
  }

  async pull(id: string, options: PullOptions): Promise<readonly Delivery[]> {
    this.#refuseWhenClosed()
    return this.#dispatcher.pull(this.#subscriptions.get(id), options)
  }

  ack(id: string, tokens: readonly string[]): Promise<number> {
    return this.#settle(id, (tx, subscription) => subscription.ack(tx, tokens))
  }

  async renew(id: string, tokens: readonly string[]): Promise<number> {
    this.#refuseWhenClosed()
    const subscription = this.#subscriptions.get(id)
    this.#dispatcher.used(subscription)
    return subscription.renew(tokens)
  }

  release(id: string, consumer: string): Promise<number> {
    return this.#settle(id, (tx, subscription) => subscription.release(tx, consumer))
  }

  async nack(id: string, tokens: readonly string[], options: ReturnOptions = {}): Promise<number> {
    const { delayMs = 0 } = options
    if (!Number.isFinite(delayMs) || delayMs < 0) {
      throw new DriverError('invalid', 'cannot give back: delayMs is a number of milliseconds from 0')
    }
    return this.#settle(id, (tx, subscription) => {
      this.#log.writeHeld()
      return subscription.nack(tx, tokens, options)
    })
  }

  place(pattern: string, from: Parameters<BusReader['place']>[1]): Promise<Cursor> {
    return this.#reader.place(pattern, from)
  }

  read(pattern: string, options: Parameters<BusReader['read']>[1]): Promise<Reading> {
    return this.#reader.read(pattern, options)
  }

  watch(pattern: string, notify: () => void): () => void {
    this.#refuseWhenClosed()
    return this.#watchers.add(pattern, notify)
  }

  async topics(page: Partial<Page> = {}): Promise<readonly TopicInfo[]> {
    this.#refuseWhenClosed()
    return pageOf(this.#log.topics(), ({ name }) => name, page).map(({ name, first, last }) => ({
      topic: name,
      messages: last - first + 1,
      firstOffset: first,
      lastOffset: last,
    }))
  }

  deadLetters(query: DeadLetterQuery): Promise<readonly DeadLetter[]> {
    this.#dispatcher.tick()
    return this.#office.list(query)
  }

  watchDeadLetters(notify: (letter: FreshDeadLetter) => void): void {
    this.#office.watch(notify)
  }

  countDeadLetters(most: number): Promise<number> {
    return this.#office.count(most)
  }

  redrive(choice: DeadLetterChoice): Promise<number> {
    return this.#office.redrive(choice)
  }

  discard(choice: DeadLetterChoice): Promise<number> {
    return this.#office.discard(choice)
  }

  delayed(query: DelayedQuery): Promise<readonly DelayedMessage[]> {
    return this.#delayed.list(query)
  }

  countDelayed(): Promise<number> {
    return this.#delayed.count()
  }

  cancelDelayed(message: Pick<Publication, 'topic' | 'id'>): Promise<boolean> {
    return this.#delayed.cancel(message)
  }

  get unsound(): Promise<DriverError> {
    return this.#soundness.unsound.then((fault) => withAdvice(fault, this.#path))
  }

  checkWrites(): Promise<void> {
    return this.#probe.check()
  }

  async check(signal: AbortSignal): Promise<void> {
    this.#refuseWhenClosed()
    if (signal.aborted) throw new DriverError('unavailable', 'bus: no time left to ask it', { cause: signal.reason })
    this.#soundness.want()
    this.#reading(() => this.#db.prepare('SELECT count(*) FROM subscriptions').get())
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#dispatcher.stop()
    this.#watchers.clear()
    this.#commit.close()
    this.#db.close()
    this.#lock.release()
  }

  /** Stores messages if there is room for `all`, of which they are a part. */
  #append(
    messages: readonly Publication[],
    all: readonly Publication[],
    owner: string | undefined,
    atomic = false,
  ): Promise<readonly Receipt[]> {
    return this.#commit.run((tx) => {
      this.#disk.wantRoom()
      this.#log.checkRoom(all, owner)
      if (atomic) this.#log.wantAllOrNone(messages)
      const { receipts, topics } = this.#log.append(tx, messages, owner)
      this.#announcements.onCommit(tx, topics)
      return receipts
    })
  }

  async #publishMany(messages: readonly Publication[], owner: string | undefined): Promise<readonly Receipt[]> {
    const receipts: Receipt[] = []
    const slice = new Slice()
    for (let at = 0; at < messages.length; at += PART) {
      if (at > 0) await slice.next()
      const part = messages.slice(at, at + PART)
      receipts.push(...(await this.#append(part, at === 0 ? messages : part, owner)))
    }
    return receipts
  }

  #settle(id: string, work: (tx: Transaction, subscription: SubscriptionState) => number): Promise<number> {
    return this.#commit.run((tx) => {
      const subscription = this.#subscriptions.get(id)
      tx.after(() => {
        this.#dispatcher.used(subscription)
        this.#dispatcher.wake(subscription)
      })
      return work(tx, subscription)
    })
  }

  #beginning({ from = 'new' }: SubscriptionSpec): number {
    if (from === 'new') return this.#log.end
    return from === 'first' ? 0 : this.#reader.position(from.after)
  }

  /** What `read` returns. Throws DriverError for a fault of the database. */
  #reading<T>(read: () => T): T {
    try {
      return this.#snapshot.read(read)
    } catch (fault) {
      this.#soundness.note(fault)
      throw toDriverError(fault)
    }
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw new DriverError('closed', 'the bus is closed')
  }
}
