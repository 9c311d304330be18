import type { DatabaseSync } from 'node:sqlite'
import { DriverError } from '../../driver-error.ts'
import type {
  Bus,
  BusOptions,
  DeadLetter,
  Delivery,
  Publication,
  Receipt,
  StoredMessage,
  Subscription,
  SubscriptionSpec,
  TopicInfo,
} from '../contract.ts'
import { topicPattern } from '../topic-pattern.ts'
import { DeadLetters } from './dead-letters.ts'
import { Dispatcher } from './dispatcher.ts'
import { FreeDisk } from './free-disk.ts'
import { GroupCommit, type Transaction } from './group-commit.ts'
import { MessageLog, type Topic } from './message-log.ts'
import { MessageRows } from './message-rows.ts'
import { DEDUP_WINDOW } from './recent-ids.ts'
import { Retention } from './retention.ts'
import { toDriverError } from './sqlite-fault.ts'
import { SubscriptionRows } from './subscription-rows.ts'
import type { SubscriptionState } from './subscription-state.ts'
import { Subscriptions } from './subscriptions.ts'
import { Watchers } from './watchers.ts'

const MIN_FREE_BYTES = 50_000_000
const KEEP_MESSAGES = DEDUP_WINDOW
/** Most messages or dead letters one call reads, whatever its limit, and the most payload in characters. */
const MAX_READ = 10_000
const MAX_READ_SIZE = 16 * 1024 * 1024

/** What a test may want to decide by itself. */
export interface Chance {
  /** From 0 to 1: spreads the delays of messages given back. */
  readonly random: () => number
  /** Free bytes of the disk that holds a folder. */
  readonly freeBytes: (folder: string) => number
}

/** The durable bus in one SQLite file: puts log, subscriptions, dispatcher and retention together behind the contract. */
export class EmbeddedBus implements Bus {
  readonly #db: DatabaseSync
  readonly #disk: FreeDisk
  readonly #commit: GroupCommit
  readonly #log: MessageLog
  readonly #deadLetters: DeadLetters
  readonly #subscriptions: Subscriptions
  readonly #retention: Retention
  readonly #dispatcher: Dispatcher
  readonly #watchers = new Watchers()
  /** Topics with messages of this transaction. */
  readonly #news = new Set<Topic>()
  #closed = false

  /** Reads the state of a database that `openDatabase` opened; nobody else writes to it from now on. */
  constructor(db: DatabaseSync, options: BusOptions, { random, freeBytes }: Chance) {
    const { clock, folder, minFreeBytes = MIN_FREE_BYTES, keepMessages = KEEP_MESSAGES } = options
    const rows = new MessageRows(db)
    this.#db = db
    this.#disk = new FreeDisk(db, { clock, minFreeBytes, freeBytes: () => freeBytes(folder) })
    this.#deadLetters = new DeadLetters(db)
    this.#log = new MessageLog({
      rows,
      now: () => clock.now(),
      seed: Math.floor(random() * 2 ** 32),
      topicMade: (topic, tx) => this.#subscriptions.topicMade(topic, tx),
    })
    this.#commit = new GroupCommit(db, () => this.#log.writeHeld())
    this.#subscriptions = new Subscriptions({
      log: this.#log,
      rows: new SubscriptionRows(db),
      deadLetters: this.#deadLetters,
      monotonic: () => clock.monotonic(),
      now: () => clock.now(),
      random,
      settled: (topic) => this.#dispatcher.considerTrimming(topic),
    })
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
    })
    for (const topic of this.#log.topics()) this.#dispatcher.considerTrimming(topic)
  }

  publish(messages: readonly Publication[]): Promise<readonly Receipt[]> {
    return this.#commit.run((tx) => {
      if (!this.#disk.hasRoom()) {
        throw new DriverError('full', 'the disk is nearly full, nothing is published: free some space, then try again')
      }
      const { receipts, topics } = this.#log.append(tx, messages)
      for (const topic of topics) this.#news.add(topic)
      tx.undo(() => this.#news.clear())
      tx.after(() => this.#announce())
      return receipts
    })
  }

  subscribe(spec: SubscriptionSpec): Promise<Subscription> {
    return this.#commit.run((tx) => this.#subscriptions.subscribe(tx, spec).describe())
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
    return this.#subscriptions.find(id)?.describe()
  }

  async subscriptions(): Promise<readonly Subscription[]> {
    this.#refuseWhenClosed()
    this.#dispatcher.tick()
    return [...this.#subscriptions.all()].map((subscription) => subscription.describe())
  }

  async pull(id: string, options: { max: number; waitMs: number; signal: AbortSignal }): Promise<readonly Delivery[]> {
    this.#refuseWhenClosed()
    return this.#dispatcher.pull(this.#subscriptions.get(id), options)
  }

  ack(id: string, tokens: readonly string[]): Promise<number> {
    return this.#settle(id, (tx, subscription) => subscription.ack(tx, tokens))
  }

  async nack(
    id: string,
    tokens: readonly string[],
    options: { delayMs?: number; reason?: string } = {},
  ): Promise<number> {
    const { delayMs = 0 } = options
    if (!Number.isFinite(delayMs) || delayMs < 0) {
      throw new DriverError('invalid', 'cannot give back: delayMs is a number of milliseconds from 0')
    }
    return this.#settle(id, (tx, subscription) => {
      this.#log.writeHeld()
      return subscription.nack(tx, tokens, options)
    })
  }

  async read(
    pattern: string,
    { after, from = 1, limit }: { after: number; from?: number; limit: number },
  ): Promise<readonly (StoredMessage & { position: number })[]> {
    this.#refuseWhenClosed()
    const topics = this.#log.matching(topicPattern(pattern)).filter((topic) => topic.lastPosition > after)
    return reading(() => {
      const starts = topics.map((topic) => ({
        topic,
        offset: Math.max(from, after > 0 ? this.#log.offsetBehind(topic, after) : topic.first),
      }))
      const rows = this.#log.read(starts, { messages: bounded(limit), characters: MAX_READ_SIZE })
      return rows.map((row) => ({ ...this.#log.message(row), position: row.position }))
    })
  }

  async end(): Promise<number> {
    this.#refuseWhenClosed()
    return this.#log.end
  }

  watch(pattern: string, notify: () => void): () => void {
    this.#refuseWhenClosed()
    return this.#watchers.add(pattern, notify)
  }

  async topics(): Promise<readonly TopicInfo[]> {
    this.#refuseWhenClosed()
    return Array.from(this.#log.topics(), ({ name, first, last }) => ({
      topic: name,
      messages: last - first + 1,
      firstOffset: first,
      lastOffset: last,
    }))
  }

  deadLetters(options: { subscription?: string; limit: number; after?: string }): Promise<readonly DeadLetter[]> {
    this.#dispatcher.tick()
    const { subscription: id, limit, after = '0' } = options
    // Through the group commit, to come after the burials that are due.
    return this.#commit.run(() => {
      if (!/^\d{1,15}$/.test(after)) throw new DriverError('invalid', `${after} is no cursor of a dead letter`)
      const wanted = id === undefined ? [...this.#subscriptions.all()] : [this.#subscriptions.get(id)]
      const ids = new Map(wanted.map((subscription) => [subscription.key, subscription.id]))
      const only = id === undefined ? {} : { subscription: this.#subscriptions.get(id).key }
      return this.#deadLetters.list({ ...only, after: Number(after), limit: bounded(limit) }).map((letter) => ({
        ...this.#log.message(letter),
        cursor: String(letter.key),
        subscription: ids.get(letter.subscription) ?? '',
        deliveries: letter.deliveries,
        reason: letter.reason,
      }))
    })
  }

  redrive({ subscription: id, ids }: { subscription?: string; ids?: readonly string[] }): Promise<number> {
    return this.#commit.run((tx) => {
      this.#log.writeHeld()
      const wanted = id === undefined ? [...this.#subscriptions.all()] : [this.#subscriptions.get(id)]
      tx.after(() => {
        for (const subscription of wanted) this.#dispatcher.wake(subscription)
      })
      return wanted.reduce((count, subscription) => count + subscription.redrive(tx, ids), 0)
    })
  }

  async check(signal: AbortSignal): Promise<void> {
    this.#refuseWhenClosed()
    if (signal.aborted) throw new DriverError('unavailable', 'bus: no time left to ask it', { cause: signal.reason })
    reading(() => this.#db.prepare('SELECT count(*) FROM subscriptions').get())
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#dispatcher.stop()
    this.#watchers.clear()
    this.#commit.close()
    this.#db.close()
  }

  #settle(id: string, work: (tx: Transaction, subscription: SubscriptionState) => number): Promise<number> {
    return this.#commit.run((tx) => {
      const subscription = this.#subscriptions.get(id)
      tx.after(() => this.#dispatcher.wake(subscription))
      return work(tx, subscription)
    })
  }

  /** Tells of the messages that this commit stored, once for all who published. */
  #announce(): void {
    if (this.#news.size === 0) return
    const topics = [...this.#news]
    this.#news.clear()
    this.#watchers.published(topics.map((topic) => topic.name))
    for (const subscription of this.#subscriptions.all()) {
      if (subscription.waiters.size > 0 && topics.some((topic) => subscription.follows(topic))) {
        this.#dispatcher.wake(subscription)
      }
    }
    for (const topic of topics) this.#dispatcher.considerTrimming(topic)
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw new DriverError('closed', 'the bus is closed')
  }
}

function bounded(limit: number): number {
  return Math.max(0, Math.min(Math.floor(limit), MAX_READ))
}

function reading<T>(read: () => T): T {
  try {
    return read()
  } catch (fault) {
    throw toDriverError(fault)
  }
}
