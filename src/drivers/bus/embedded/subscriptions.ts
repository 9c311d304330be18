import { randomUUIDv7 } from 'node:crypto'
import { DriverError } from '../../driver-error.ts'
import type { SubscriptionSpec } from '../consumer.ts'
import { interrupted, type Unsettled } from '../lease-rules.ts'
import { type TopicPattern, topicPattern } from '../topic-pattern.ts'
import type { Cursor } from './cursor.ts'
import type { Transaction } from './group-commit.ts'
import type { Topic } from './message-log.ts'
import { PatternCursor } from './pattern-cursor.ts'
import type { SubscriptionRow, SubscriptionTerms, UnsettledRow } from './subscription-rows.ts'
import { type SubscriptionParts, SubscriptionState } from './subscription-state.ts'
import { TopicCursor } from './topic-cursor.ts'

const MAX_DELIVER = 5
const ACK_WAIT_MS = 30_000
/** A day. */
const GIVE_UP_AFTER_MS = 86_400_000

/** How many subscriptions there may be. */
export interface SubscriptionLimits {
  readonly max: number
  readonly maxPerOwner: number
}

/** All subscriptions, by id and by topic and group. */
export class Subscriptions {
  readonly #parts: SubscriptionParts
  readonly #limits: SubscriptionLimits
  readonly #byId = new Map<string, SubscriptionState>()
  readonly #byKey = new Map<number, SubscriptionState>()
  readonly #ofGroup = new Map<string, SubscriptionState>()

  /** Reads all of them from disk. */
  constructor(parts: SubscriptionParts, limits: SubscriptionLimits) {
    this.#parts = parts
    this.#limits = limits
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

  /** The one with a key of its rows. */
  keyed(key: number): SubscriptionState | undefined {
    return this.#byKey.get(key)
  }

  /** The one with an id, if there is one. */
  find(id: string): SubscriptionState | undefined {
    return this.#byId.get(id)
  }

  /** The one that `subscribe` with this topic and group would give. */
  ofGroup(topic: string, group: string): SubscriptionState | undefined {
    return this.#ofGroup.get(nameOf(topic, group))
  }

  /** The highest offset of a topic up to which all that read it are done; Infinity when nobody does. */
  settledUpTo(topic: Topic): number {
    let settled = Number.POSITIVE_INFINITY
    for (const subscription of this.#byId.values()) {
      if (subscription.follows(topic)) settled = Math.min(settled, subscription.settledUpTo(topic, settled))
    }
    return settled
  }

  /**
   * Makes a subscription, or brings the one of this topic and group up to date.
   * @param after the position behind which one that is made begins
   */
  subscribe(tx: Transaction, spec: SubscriptionSpec, after: number): SubscriptionState {
    const { topic, group, owner, push, maxDeliver = MAX_DELIVER, ackWaitMs = ACK_WAIT_MS, expiresAfterMs } = spec
    const { giveUpAfterMs = GIVE_UP_AFTER_MS, reserved = false } = spec
    const pattern = topicPattern(topic)
    refuseUnless(Number.isSafeInteger(maxDeliver) && maxDeliver > 0, 'maxDeliver is a whole number from 1')
    refuseUnless(Number.isFinite(ackWaitMs) && ackWaitMs > 0, 'ackWaitMs is a positive number of milliseconds')
    refuseUnless(giveUpAfterMs >= 0, 'giveUpAfterMs is a number of milliseconds from 0')
    refuseUnless(expiresAfterMs === undefined || expiresAfterMs > 0, 'expiresAfterMs is a positive number')

    const terms = { pushUrl: push?.url, maxDeliver, ackWaitMs, expiresAfterMs, giveUpAfterMs }
    const known = group === undefined ? undefined : this.ofGroup(topic, group)
    if (known !== undefined) {
      this.#renew(tx, known, terms, owner)
      return known
    }
    if (!reserved) this.#checkRoom(owner)
    const { log, rows, now } = this.#parts
    const activeAt = Math.floor(now())
    const id = randomUUIDv7()
    const place = pattern.exact ? undefined : after
    const made = { id, pattern: topic, group, owner, startOffset: 1, position: place, activeAt, ...terms }
    const row = { key: rows.insert(made), ...made }
    const published = after > 0 && pattern.exact ? log.named(topic) : undefined
    const offset = published === undefined ? 1 : log.offsetBehind(published, after)
    if (published !== undefined && offset !== 1) rows.setCursor(row.key, published.key, offset)
    tx.undo(() => this.#drop(subscription))
    const subscription = this.#keep(row, this.#cursor(row, pattern, { offset, position: place ?? 0, from: new Map() }))
    return subscription
  }

  #checkRoom(owner: string | undefined): void {
    const { max, maxPerOwner } = this.#limits
    if (this.#byId.size >= max) {
      const message = `there are ${max} subscriptions, as many as there may be: remove those that nobody uses`
      throw new DriverError('too-many', message)
    }
    if (owner === undefined) return
    let own = 0
    for (const subscription of this.#byId.values()) if (subscription.owner === owner) own++
    if (own < maxPerOwner) return
    const message = `${owner} has ${own} subscriptions, as many as one may have: remove those that nobody uses`
    throw new DriverError('too-many', message)
  }

  #renew(tx: Transaction, known: SubscriptionState, terms: SubscriptionTerms, owner: string | undefined): void {
    const before = { terms: known.terms, owner: known.owner }
    if (owner !== undefined && before.owner !== undefined && owner !== before.owner) {
      throw new DriverError('conflict', `the group ${known.group} of ${known.source} belongs to ${before.owner}`)
    }
    tx.undo(() => Object.assign(known, before))
    known.terms = terms
    this.#parts.rows.update(known.key, terms)
    if (owner === undefined || before.owner !== undefined) return
    known.owner = owner
    this.#parts.rows.claim(known.key, owner)
  }

  /** Removes a subscription. */
  remove(tx: Transaction, subscription: SubscriptionState): void {
    const { tally, rows } = this.#parts
    const { size } = subscription.unsettled
    tx.undo(() => {
      this.#add(subscription)
      tally.count += size
    })
    this.#drop(subscription)
    tally.count -= size
    rows.remove(subscription.key)
  }

  /** Writes down that a subscription is in use now. */
  noteUse({ key }: SubscriptionState): void {
    this.#parts.rows.touch(key, Math.floor(this.#parts.now()))
  }

  #load(row: SubscriptionRow): void {
    const { log, rows } = this.#parts
    const pattern = topicPattern(row.pattern)
    const from = new Map(rows.cursors(row.key).map(({ topic, next }) => [topic, next]))
    const offset = from.get(log.named(row.pattern)?.key ?? 0) ?? row.startOffset
    // from cursors for each topic, as an older version had them, it begins at the beginning and passes over what they are past
    const position = row.position ?? 0
    const subscription = this.#keep(row, this.#cursor(row, pattern, { offset, position, from }))
    subscription.resume(rows.unsettled(row.key).map((message) => this.#resumed(message)))
  }

  #cursor(
    { key, startOffset }: SubscriptionRow,
    pattern: TopicPattern,
    { offset, position, from }: { offset: number; position: number; from: ReadonlyMap<number, number> },
  ): Cursor {
    const { log, rows } = this.#parts
    if (pattern.exact) return new TopicCursor({ log, rows, key, name: pattern.source, offset })
    const first = (topic: Topic) => from.get(topic.key) ?? startOffset
    return new PatternCursor({ log, rows, key, pattern, position, from: first })
  }

  #keep(row: SubscriptionRow, cursor: Cursor): SubscriptionState {
    const subscription = new SubscriptionState(row, cursor, this.#parts)
    this.#add(subscription)
    return subscription
  }

  #add(subscription: SubscriptionState): void {
    this.#byId.set(subscription.id, subscription)
    this.#byKey.set(subscription.key, subscription)
    if (subscription.group !== undefined)
      this.#ofGroup.set(nameOf(subscription.source, subscription.group), subscription)
  }

  #drop(subscription: SubscriptionState): void {
    this.#byId.delete(subscription.id)
    this.#byKey.delete(subscription.key)
    if (subscription.group !== undefined) this.#ofGroup.delete(nameOf(subscription.source, subscription.group))
  }

  /** A message as it is after a restart: what was on lease can be handed out at once, what waits waits on. */
  #resumed({ notBefore, delayMs, ...place }: UnsettledRow): Unsettled {
    if (notBefore === undefined) return interrupted(place)
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

function nameOf(topic: string, group: string): string {
  return JSON.stringify([topic, group])
}
