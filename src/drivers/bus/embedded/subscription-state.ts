import { ackToken, parseAckToken } from '../ack-token.ts'
import type { FreshDeadLetter } from '../administration.ts'
import type { Delivery, ReturnOptions, Subscription } from '../consumer.ts'
import { Idleness } from '../idleness.ts'
import {
  atTime,
  backoffMs,
  type Dead,
  firstLease,
  givenBack,
  givenBackUnseen,
  isCurrent,
  leaseAgain,
  leftBehind,
  putOff,
  renewed,
  type Unsettled,
  untouched,
} from '../lease-rules.ts'
import { keyIn } from '../message-key.ts'
import type { Cursor } from './cursor.ts'
import type { DeadLetterRow, DeadLetters } from './dead-letters.ts'
import type { Transaction } from './group-commit.ts'
import type { HeldRow, HeldRows } from './held-rows.ts'
import { KeyOrder } from './key-order.ts'
import type { MessageLog, Topic } from './message-log.ts'
import { type MessageRow, type ReadLimits, sizeOf } from './message-rows.ts'
import type { SubscriptionRow, SubscriptionRows, SubscriptionTerms } from './subscription-rows.ts'
import { type Tally, UnsettledMessages } from './unsettled-messages.ts'
import { Waiters } from './waiters.ts'

/** Most messages a subscription has out at a time; further ones stay on disk until some are settled. */
export const MAX_UNSETTLED = 10_000
/** Most that all subscriptions have out together (some 20 MB), but for a few that each may always have. */
const MOST_TOGETHER = 100_000
const ALWAYS = 100
/** Characters after which a pull takes no further message: at 3 bytes each, and with a last message of 1 MiB, under the contract's 8 MiB. */
const MAX_PULL_SIZE = 2 * 1024 * 1024

/** What a subscription works with. */
export interface SubscriptionParts {
  readonly log: MessageLog
  readonly rows: SubscriptionRows
  readonly held: HeldRows
  readonly deadLetters: DeadLetters
  readonly tally: Tally
  /** Monotonic milliseconds. */
  readonly monotonic: () => number
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number
  /** From 0 to 1. */
  readonly random: () => number
  /** Told on commit of a message that died. */
  readonly died: (letter: FreshDeadLetter) => void
  /** Told on commit when messages of a topic were acknowledged or died. */
  readonly settled: (topic: Topic) => void
}

/** One subscription: where it stands in each topic, and what it has handed out. Its methods run within a transaction. */
export class SubscriptionState {
  readonly key: number
  readonly id: string
  /** The topic or pattern it reads. */
  readonly source: string
  readonly group: string | undefined
  owner: string | undefined
  terms: SubscriptionTerms
  readonly waiters = new Waiters()
  readonly unsettled: UnsettledMessages
  readonly idleness: Idleness
  readonly #parts: SubscriptionParts
  readonly #cursor: Cursor
  readonly #order: KeyOrder

  constructor(row: SubscriptionRow, cursor: Cursor, parts: SubscriptionParts) {
    this.key = row.key
    this.id = row.id
    this.source = row.pattern
    this.group = row.group
    this.owner = row.owner
    this.terms = row
    this.idleness = new Idleness({ now: parts.now(), monotonic: parts.monotonic(), ...row })
    this.unsettled = new UnsettledMessages(parts.tally)
    this.#parts = parts
    this.#cursor = cursor
    this.#order = new KeyOrder(parts.held, row.key)
  }

  /** Takes up what it had handed out before a restart. */
  resume(messages: readonly Unsettled[]): void {
    for (const message of messages) this.unsettled.load(message)
    this.#order.load(messages)
  }

  /** What callers see of it. */
  describe(): Subscription {
    const { id, group, owner, source, unsettled } = this
    const { pushUrl, maxDeliver, ackWaitMs, expiresAfterMs, giveUpAfterMs } = this.terms
    return {
      id,
      topic: source,
      maxDeliver,
      ackWaitMs,
      giveUpAfterMs,
      pending: unsettled.size + this.#order.heldCount + this.#cursor.pending(),
      leased: unsettled.leased(),
      ...(group === undefined ? {} : { group }),
      ...(owner === undefined ? {} : { owner }),
      ...(expiresAfterMs === undefined ? {} : { expiresAfterMs }),
      ...(pushUrl === undefined ? {} : { push: { url: pushUrl } }),
    }
  }

  /** Whether it reads a topic. */
  follows(topic: Topic): boolean {
    return this.#cursor.follows(topic)
  }

  /** The highest offset of a topic up to which all is settled; what is above `most` need not be told exactly. */
  settledUpTo(topic: Topic, most: number): number {
    const unsettled = Math.min(this.unsettled.lowestOffset(topic.key), this.#order.lowestOffset(topic.key))
    return Math.min(this.#cursor.next(topic, most + 1), unsettled) - 1
  }

  /** Whether a pull may get something now. */
  hasMessages(): boolean {
    if (this.unsettled.readyCount > 0) return true
    return this.room > 0 && this.#cursor.mayFind()
  }

  /** Hands out up to `max` messages to a consumer: those to be delivered again first, then new ones. */
  lease(tx: Transaction, max: number, consumer?: string): Delivery[] {
    const { log, rows } = this.#parts
    const how = { now: this.#parts.monotonic(), consumer, ...this.terms }
    const leased: { message: Unsettled; row: MessageRow }[] = []
    let size = MAX_PULL_SIZE
    for (const message of this.unsettled.ready()) {
      if (leased.length >= max || size <= 0) break
      const row = log.at(message.position)
      const again = leaseAgain(message, how)
      if (again.at === 'dead' || row === undefined) {
        this.#bury(tx, message, again.at === 'dead' ? again.reason : 'the message is gone')
        continue
      }
      size -= sizeOf(row)
      leased.push({ message: again, row })
    }
    const room = Math.min(max - leased.length, this.room)
    if (room > 0 && size > 0) {
      for (const { row, key } of this.#takeFresh(tx, { messages: room, characters: size })) {
        leased.push({ message: firstLease({ ...row, key }, how), row })
      }
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

  /** Begins leases anew; returns how many tokens were current. No row says when a lease ends, so there is nothing to write. */
  renew(tokens: readonly string[]): number {
    const how = { now: this.#parts.monotonic(), ackWaitMs: this.terms.ackWaitMs }
    const messages = [...this.#current(tokens)]
    for (const message of messages) this.unsettled.load(renewed(message, how))
    return messages.length
  }

  /** Takes deliveries back, to be made again later; returns how many tokens were current. */
  nack(tx: Transaction, tokens: readonly string[], options: ReturnOptions): number {
    const messages = [...this.#current(tokens)]
    for (const message of messages) this.#become(tx, message, this.#returned(message, options))
    return messages.length
  }

  /** Takes back what a consumer has on lease that is gone; returns how many there were. */
  release(tx: Transaction, consumer: string): number {
    const { monotonic, random } = this.#parts
    const messages = this.unsettled.leasedTo(consumer)
    for (const message of messages) {
      const how = { now: monotonic(), random: random(), maxDeliver: this.terms.maxDeliver }
      this.#become(tx, message, leftBehind(message, how))
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

  /** How many messages it has room for among those handed out and not settled. */
  get room(): number {
    const most = this.#parts.tally.count < MOST_TOGETHER ? MAX_UNSETTLED : ALWAYS
    return Math.max(0, most - this.unsettled.size)
  }

  /** Takes a dead letter of its own back in with a fresh count. */
  takeBack(tx: Transaction, letter: DeadLetterRow): void {
    const { log, rows, deadLetters } = this.#parts
    const { topic, offset, position, attempt, reason } = letter
    const key = keyIn(letter.attributes)
    log.restore(letter)
    deadLetters.remove(letter.key)
    if (key !== undefined && this.#order.isBusy(key)) {
      this.#order.hold(tx, [{ key, topic, offset, position, attempt }])
      return
    }
    if (key !== undefined) this.#order.begin(tx, key)
    const message = untouched({ topic, offset, position, key, attempt }, reason)
    rows.giveBack(this.key, message, 0, 0)
    this.unsettled.set(tx, message)
  }

  /** Messages to be handed out for the first time. Those whose keys are busy are passed over, and written down as held. */
  #takeFresh(tx: Transaction, limits: ReadLimits): { row: MessageRow; key: string | undefined }[] {
    const held: HeldRow[] = []
    const keys: (string | undefined)[] = []
    const rows = this.#cursor.take(tx, limits, (row) => {
      const key = keyIn(row.attributes)
      if (key !== undefined && this.#order.isBusy(key)) {
        held.push({ key, topic: row.topic, offset: row.offset, position: row.position, attempt: 0 })
        return false
      }
      if (key !== undefined) this.#order.begin(tx, key)
      keys.push(key)
      return true
    })
    this.#order.hold(tx, held)
    return rows.map((row, at) => ({ row, key: keys[at] }))
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

  #returned(
    message: Unsettled,
    { delayMs, reason = 'given back', later = false, unseen = false, left = false }: ReturnOptions,
  ): Unsettled | Dead {
    const { maxDeliver, giveUpAfterMs } = this.terms
    const now = this.#parts.monotonic()
    const random = this.#parts.random()
    if (unseen) return givenBackUnseen(message, { now, delayMs: delayMs ?? 0, reason })
    if (left) return leftBehind(message, { now, random, maxDeliver, reason })
    if (later) return putOff(message, { now, delayMs: delayMs ?? 0, reason, random, giveUpAfterMs })
    return givenBack(message, { now, delayMs: delayMs ?? backoffMs(message.deliveries, random), reason, maxDeliver })
  }

  /** Puts a message that was on lease into what it has become, on disk and in memory. */
  #become(tx: Transaction, message: Unsettled, then: Unsettled | Dead): void {
    const { rows, monotonic, now } = this.#parts
    if (then.at === 'dead') {
      this.#bury(tx, message, then.reason)
      return
    }
    const delay = then.at === 'delayed' ? then.until - monotonic() : 0
    rows.giveBack(this.key, then, now() + delay, delay)
    this.unsettled.set(tx, then)
  }

  #bury(tx: Transaction, message: Unsettled, reason: string): void {
    const row = this.#parts.log.at(message.position)
    if (row !== undefined) {
      const { log, deadLetters, died } = this.#parts
      const { id: subscription, group } = this
      deadLetters.add(this.key, row, message, reason)
      const letter = { ...log.message(row), subscription, group, deliveries: message.deliveries, reason }
      tx.after(() => died(letter))
    }
    this.#settle(tx, [message])
  }

  #settle(tx: Transaction, messages: readonly Unsettled[]): void {
    if (messages.length === 0) return
    this.#parts.rows.settle(
      this.key,
      messages.map(({ position }) => position),
    )
    for (const message of messages) this.unsettled.delete(tx, message)
    for (const { key } of messages) if (key !== undefined) this.#free(tx, key)
    tx.after(() => {
      for (const key of new Set(messages.map((message) => message.topic))) {
        const topic = this.#parts.log.topic(key)
        if (topic !== undefined) this.#parts.settled(topic)
      }
    })
  }
  /** A message of a key is done: the next one that waits for it may be handed out. */
  #free(tx: Transaction, key: string): void {
    const next = this.#order.end(tx, key)
    if (next === undefined) return
    const message = untouched(next, 'held back')
    this.#parts.rows.giveBack(this.key, message, 0, 0)
    this.unsettled.set(tx, message)
  }
}
