import type { Delivery, Subscription } from '../contract.ts'
import type { TopicPattern } from '../topic-pattern.ts'
import { ackToken, parseAckToken } from './ack-token.ts'
import type { DeadLetterRow, DeadLetters } from './dead-letters.ts'
import type { Transaction } from './group-commit.ts'
import { atTime, backoffMs, firstLease, givenBack, isCurrent, leaseAgain, type Unsettled } from './lease-rules.ts'
import type { MessageLog, ReadFrom, Topic } from './message-log.ts'
import { type MessageRow, sizeOf } from './message-rows.ts'
import type { SubscriptionRow, SubscriptionRows, SubscriptionTerms } from './subscription-rows.ts'
import { UnsettledMessages } from './unsettled-messages.ts'
import { Waiters } from './waiters.ts'

/** Most messages a subscription has out at a time; further ones stay on disk until some are settled. */
export const MAX_UNSETTLED = 10_000
/** Characters after which a pull takes no further message: at 3 bytes each, and with a last message of 1 MiB, under the contract's 8 MiB. */
const MAX_PULL_SIZE = 2 * 1024 * 1024

/** What a subscription works with. */
export interface SubscriptionParts {
  readonly log: MessageLog
  readonly rows: SubscriptionRows
  readonly deadLetters: DeadLetters
  /** Monotonic milliseconds. */
  readonly monotonic: () => number
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number
  /** From 0 to 1. */
  readonly random: () => number
  /** Told on commit when messages of a topic were acknowledged or died. */
  readonly settled: (topic: Topic) => void
}

/** One subscription: where it stands in each topic, and what it has handed out. Its methods run within a transaction. */
export class SubscriptionState {
  readonly key: number
  readonly id: string
  readonly pattern: TopicPattern
  readonly group: string | undefined
  /** Where it begins in topics made after it. */
  readonly startOffset: number
  terms: SubscriptionTerms
  readonly waiters = new Waiters()
  readonly unsettled = new UnsettledMessages()
  readonly #parts: SubscriptionParts
  /** The next message to hand out for the first time, in every topic that fits. Trimming never overtakes it. */
  readonly #cursors = new Map<Topic, ReadFrom>()

  constructor(row: SubscriptionRow, pattern: TopicPattern, parts: SubscriptionParts) {
    this.key = row.key
    this.id = row.id
    this.pattern = pattern
    this.group = row.group
    this.startOffset = row.startOffset
    this.terms = row
    this.#parts = parts
  }

  /** What callers see of it. */
  describe(): Subscription {
    const { id, group, pattern, unsettled } = this
    const { pushUrl, maxDeliver, ackWaitMs } = this.terms
    let pending = unsettled.size
    for (const { topic, offset } of this.#backlog()) pending += topic.last - offset + 1
    return {
      id,
      topic: pattern.source,
      maxDeliver,
      ackWaitMs,
      pending,
      leased: unsettled.leased(),
      ...(group === undefined ? {} : { group }),
      ...(pushUrl === undefined ? {} : { push: { url: pushUrl } }),
    }
  }

  /** Lets it read a topic from an offset on. */
  follow(topic: Topic, next: number): void {
    this.#cursors.set(topic, { topic, offset: Math.max(next, topic.first) })
  }

  /** Undoes `follow`. */
  unfollow(topic: Topic): void {
    this.#cursors.delete(topic)
  }

  /** Whether it reads a topic. */
  follows(topic: Topic): boolean {
    return this.#cursors.has(topic)
  }

  /** The highest offset of a topic up to which all is settled. */
  settledUpTo(topic: Topic): number {
    const next = this.#cursors.get(topic)?.offset ?? Number.POSITIVE_INFINITY
    return Math.min(next, this.unsettled.lowestOffset(topic.key)) - 1
  }

  /** Whether a pull would get something now. */
  hasMessages(): boolean {
    if (this.unsettled.readyCount > 0) return true
    return this.unsettled.size < MAX_UNSETTLED && !this.#backlog().next().done
  }

  /** Hands out up to `max` messages: those to be delivered again first, then new ones. */
  lease(tx: Transaction, max: number): Delivery[] {
    const { log, rows } = this.#parts
    const now = this.#parts.monotonic()
    const leased: { message: Unsettled; row: MessageRow }[] = []
    let size = MAX_PULL_SIZE
    for (const message of this.unsettled.ready()) {
      if (leased.length >= max || size <= 0) break
      const row = log.at(message.position)
      const again = leaseAgain(message, now, this.terms)
      if (again.at === 'dead' || row === undefined) {
        this.#bury(tx, message, again.at === 'dead' ? again.reason : 'the message is gone')
        continue
      }
      size -= sizeOf(row)
      leased.push({ message: again, row })
    }
    const room = Math.min(max - leased.length, MAX_UNSETTLED - this.unsettled.size)
    if (room > 0 && size > 0) {
      const backlog = [...this.#backlog()]
      const fresh = log.read(backlog, { messages: room, characters: size })
      // Heads learned from rows that are never committed would lead to other messages.
      tx.undo(() => {
        for (const cursor of backlog) cursor.head = undefined
      })
      for (const row of fresh) leased.push({ message: firstLease(row, now, this.terms), row })
      this.#advance(tx, fresh)
    }
    for (const { message } of leased) this.unsettled.set(tx, message)
    rows.lease(
      this.key,
      leased.map(({ message }) => message),
    )
    return leased.map(({ message: { position, attempt, deliveries }, row }) => ({
      ...log.message(row),
      delivery: deliveries,
      ack: ackToken({ subscription: this.key, position, attempt }),
    }))
  }

  /** Ends deliveries for good; returns how many tokens were current. */
  ack(tx: Transaction, tokens: readonly string[]): number {
    const messages = [...this.#current(tokens)]
    this.#settle(tx, messages)
    return messages.length
  }

  /** Takes deliveries back, to be made again later; returns how many tokens were current. */
  nack(tx: Transaction, tokens: readonly string[], { delayMs, reason }: { delayMs?: number; reason?: string }): number {
    const { rows, monotonic, now, random } = this.#parts
    const messages = [...this.#current(tokens)]
    for (const message of messages) {
      const delay = delayMs ?? backoffMs(message.deliveries, random())
      const then = givenBack(message, {
        now: monotonic(),
        delayMs: delay,
        reason: reason ?? 'given back',
        maxDeliver: this.terms.maxDeliver,
      })
      if (then.at === 'dead') {
        this.#bury(tx, message, then.reason)
        continue
      }
      rows.giveBack(this.key, then, now() + delay, delay)
      this.unsettled.set(tx, then)
    }
    return messages.length
  }

  /** Makes dead letters of those that `unsettled.sweep` found to have had their last delivery. */
  bury(tx: Transaction, dying: readonly Unsettled[]): void {
    for (const { position } of dying) {
      const message = this.unsettled.get(position)
      const then = message && atTime(message, this.#parts.monotonic(), this.terms.maxDeliver)
      if (then?.at === 'dead' && message !== undefined) this.#bury(tx, message, then.reason)
    }
  }

  /** Takes dead letters back in with a fresh count, those of these message ids or all, as far as there is room. Returns how many. */
  redrive(tx: Transaction, ids: readonly string[] | undefined): number {
    const { deadLetters } = this.#parts
    const before = this.unsettled.size
    for (const id of ids ?? [undefined]) {
      const limit = MAX_UNSETTLED - this.unsettled.size
      const filter = { subscription: this.key, limit, ...(id === undefined ? {} : { id }) }
      for (const letter of deadLetters.list(filter)) this.#takeBack(tx, letter)
    }
    return this.unsettled.size - before
  }

  *#backlog(): Generator<ReadFrom, undefined> {
    for (const cursor of this.#cursors.values()) if (cursor.offset <= cursor.topic.last) yield cursor
  }

  #advance(tx: Transaction, fresh: readonly MessageRow[]): void {
    const next = new Map<Topic, number>()
    for (const row of fresh) {
      const topic = this.#parts.log.topic(row.topic)
      if (topic !== undefined) next.set(topic, row.offset + 1)
    }
    for (const [topic, offset] of next) {
      const before = this.#cursors.get(topic)?.offset ?? topic.first
      tx.undo(() => this.follow(topic, before))
      this.follow(topic, offset)
      this.#parts.rows.setCursor(this.key, topic.key, offset)
    }
  }

  *#current(tokens: readonly string[]): Generator<Unsettled> {
    const now = this.#parts.monotonic()
    for (const token of new Set(tokens)) {
      const named = parseAckToken(token)
      if (named === undefined || named.subscription !== this.key) continue
      const message = this.unsettled.get(named.position)
      if (message !== undefined && isCurrent(message, named.attempt, now)) yield message
    }
  }

  #bury(tx: Transaction, message: Unsettled, reason: string): void {
    const row = this.#parts.log.at(message.position)
    if (row !== undefined) this.#parts.deadLetters.add(this.key, row, message, reason)
    this.#settle(tx, [message])
  }

  #takeBack(tx: Transaction, letter: DeadLetterRow): void {
    const { log, rows, deadLetters } = this.#parts
    const { topic, offset, position, attempt, key, reason } = letter
    const message: Unsettled = { topic, offset, position, attempt, deliveries: 0, at: 'ready', reason }
    log.restore(letter)
    rows.giveBack(this.key, message, 0, 0)
    deadLetters.remove(key)
    this.unsettled.set(tx, message)
  }

  #settle(tx: Transaction, messages: readonly Unsettled[]): void {
    if (messages.length === 0) return
    this.#parts.rows.settle(
      this.key,
      messages.map(({ position }) => position),
    )
    for (const message of messages) this.unsettled.delete(tx, message)
    tx.after(() => {
      for (const key of new Set(messages.map((message) => message.topic))) {
        const topic = this.#parts.log.topic(key)
        if (topic !== undefined) this.#parts.settled(topic)
      }
    })
  }
}
