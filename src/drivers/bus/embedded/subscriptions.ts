import { randomUUIDv7 } from 'node:crypto'
import { DriverError } from '../../driver-error.ts'
import type { SubscriptionSpec } from '../contract.ts'
import { topicPattern } from '../topic-pattern.ts'
import type { Transaction } from './group-commit.ts'
import type { Unsettled } from './lease-rules.ts'
import type { Topic } from './message-log.ts'
import type { SubscriptionRow, UnsettledRow } from './subscription-rows.ts'
import { type SubscriptionParts, SubscriptionState } from './subscription-state.ts'

const MAX_DELIVER = 5
const ACK_WAIT_MS = 30_000

/** All subscriptions, by id and by topic and group. */
export class Subscriptions {
  readonly #parts: SubscriptionParts
  readonly #byId = new Map<string, SubscriptionState>()

  /** Reads all of them from disk. */
  constructor(parts: SubscriptionParts) {
    this.#parts = parts
    for (const row of parts.rows.all()) this.#load(row)
  }

  /** Every subscription, the oldest first. */
  all(): Iterable<SubscriptionState> {
    return this.#byId.values()
  }

  /** The one with an id. @throws DriverError `not-found`. */
  get(id: string): SubscriptionState {
    const found = this.#byId.get(id)
    if (found === undefined) throw new DriverError('not-found', `no subscription ${id}; it may have been removed`)
    return found
  }

  /** The one with an id, if there is one. */
  find(id: string): SubscriptionState | undefined {
    return this.#byId.get(id)
  }

  /** The one that `subscribe` with this topic and group would give. */
  ofGroup(topic: string, group: string): SubscriptionState | undefined {
    for (const subscription of this.#byId.values()) {
      if (subscription.group === group && subscription.pattern.source === topic) return subscription
    }
    return undefined
  }

  /** Lets those that fit a topic read it from their start on. Call it when the topic comes to be. */
  topicMade(topic: Topic, tx: Transaction): void {
    for (const subscription of this.#byId.values()) {
      if (!subscription.pattern.matches(topic.name)) continue
      tx.undo(() => subscription.unfollow(topic))
      subscription.follow(topic, subscription.startOffset)
    }
  }

  /** The highest offset of a topic up to which all that read it are done; Infinity when nobody does. */
  settledUpTo(topic: Topic): number {
    let settled = Number.POSITIVE_INFINITY
    for (const subscription of this.#byId.values()) {
      if (subscription.follows(topic)) settled = Math.min(settled, subscription.settledUpTo(topic))
    }
    return settled
  }

  /** Makes a subscription, or brings the one of this topic and group up to date. */
  subscribe(tx: Transaction, spec: SubscriptionSpec): SubscriptionState {
    const { topic, group, push, maxDeliver = MAX_DELIVER, ackWaitMs = ACK_WAIT_MS, from = 'new' } = spec
    const pattern = topicPattern(topic)
    refuseUnless(Number.isSafeInteger(maxDeliver) && maxDeliver > 0, 'maxDeliver is a whole number from 1')
    refuseUnless(Number.isFinite(ackWaitMs) && ackWaitMs > 0, 'ackWaitMs is a positive number of milliseconds')
    const startOffset = typeof from === 'number' ? from : 1
    refuseUnless(Number.isSafeInteger(startOffset) && startOffset >= 0, 'from is new, first or an offset')

    const terms = { pushUrl: push?.url, maxDeliver, ackWaitMs }
    const known = group === undefined ? undefined : this.ofGroup(topic, group)
    if (known !== undefined) {
      const before = known.terms
      tx.undo(() => {
        known.terms = before
      })
      known.terms = terms
      this.#parts.rows.update(known.key, terms)
      return known
    }
    const row = { id: randomUUIDv7(), pattern: topic, group, startOffset, ...terms }
    const key = this.#parts.rows.insert(row)
    const made = new SubscriptionState({ key, ...row }, pattern, this.#parts)
    for (const matching of this.#parts.log.matching(pattern)) {
      const next = from === 'new' ? matching.last + 1 : startOffset
      made.follow(matching, next)
      if (next !== startOffset) this.#parts.rows.setCursor(key, matching.key, next)
    }
    tx.undo(() => this.#byId.delete(row.id))
    this.#byId.set(row.id, made)
    return made
  }

  /** Removes a subscription. */
  remove(tx: Transaction, subscription: SubscriptionState): void {
    tx.undo(() => this.#byId.set(subscription.id, subscription))
    this.#byId.delete(subscription.id)
    this.#parts.rows.remove(subscription.key)
  }

  #load(row: SubscriptionRow): void {
    const { log, rows } = this.#parts
    const subscription = new SubscriptionState(row, topicPattern(row.pattern), this.#parts)
    for (const topic of log.matching(subscription.pattern)) subscription.follow(topic, row.startOffset)
    for (const { topic: key, next } of rows.cursors(row.key)) {
      const topic = log.topic(key)
      if (topic !== undefined) subscription.follow(topic, next)
    }
    for (const message of rows.unsettled(row.key)) subscription.unsettled.load(this.#resumed(message))
    this.#byId.set(row.id, subscription)
  }

  /** A message as it is after a restart: what was on lease can be handed out at once, what waits waits on. */
  #resumed({ notBefore, delayMs, ...place }: UnsettledRow): Unsettled {
    if (notBefore === undefined) return { ...place, at: 'interrupted' }
    // A wall clock that was set back must not stretch the delay.
    const left = Math.min(notBefore - this.#parts.now(), delayMs)
    const reason = 'given back'
    if (left <= 0) return { ...place, at: 'ready', reason }
    return { ...place, at: 'delayed', until: this.#parts.monotonic() + left, reason }
  }
}

function refuseUnless(holds: boolean, rule: string): void {
  if (!holds) throw new DriverError('invalid', `cannot subscribe: ${rule}`)
}
