import type { Clock } from '../../clock.ts'
import { Alarm } from '../alarm.ts'
import type { Delivery, PullOptions } from '../consumer.ts'
import type { DelayedMessages } from './delayed-messages.ts'
import type { DelayedRow } from './delayed-rows.ts'
import type { GroupCommit, Transaction } from './group-commit.ts'
import type { MessageLog, Topic } from './message-log.ts'
import type { Retention } from './retention.ts'
import { toDriverError } from './sqlite-fault.ts'
import type { SubscriptionState } from './subscription-state.ts'
import type { Subscriptions } from './subscriptions.ts'
import type { Waiter } from './waiters.ts'

/** What the dispatcher works with. */
export interface DispatcherParts {
  readonly clock: Clock
  readonly commit: GroupCommit
  readonly log: MessageLog
  readonly subscriptions: Subscriptions
  readonly retention: Retention
  readonly delayed: DelayedMessages
  /** Stores messages whose time has come, and tells who waits for them. */
  readonly place: (tx: Transaction, messages: readonly DelayedRow[]) => void
}

/** When what couldn't be written down is tried again. */
const RETRY_MS = 1000
/** Subscriptions ended at a time: each takes its rows with it. */
const ENDED_AT_ONCE = 16

/** Brings messages and waiting pulls together, and does what is due at a time: ends leases, delays, waits and idle subscriptions. */
export class Dispatcher {
  readonly #parts: DispatcherParts
  readonly #alarm: Alarm
  /** Those with a serving on its way through the group commit. */
  readonly #serving = new Set<SubscriptionState>()

  constructor(parts: DispatcherParts) {
    this.#parts = parts
    this.#alarm = new Alarm(parts.clock, () => this.tick())
  }

  /** Leases up to `max` messages, waiting up to `waitMs` for the first. */
  pull(subscription: SubscriptionState, { max, waitMs, consumer, signal }: PullOptions): Promise<readonly Delivery[]> {
    const now = this.#parts.clock.monotonic()
    this.placeDue()
    this.used(subscription)
    this.#sweep(subscription, now)
    const hasMessages = subscription.hasMessages()
    if (max < 1 || signal.aborted || (waitMs <= 0 && !hasMessages)) return Promise.resolve([])
    const until = now + Math.max(0, waitMs)
    const waiting = subscription.waiters.wait({ max: Math.floor(max), until, consumer, signal })
    this.wake(subscription)
    if (!this.#serving.has(subscription)) this.#alarm.set(until)
    return waiting
  }

  /** Notes that a subscription is in use, and sees to it that it ends when it no longer is. */
  used(subscription: SubscriptionState): void {
    const { clock, commit, subscriptions } = this.#parts
    const { idleness } = subscription
    const { expiresAfterMs } = subscription.terms
    if (expiresAfterMs === undefined) return
    const now = clock.monotonic()
    this.#alarm.set(now + expiresAfterMs)
    if (!idleness.end(expiresAfterMs, now)) return
    idleness.note(now)
    // what isn't written down shortens the subscription's life after a restart, no more
    commit.run(() => subscriptions.noteUse(subscription)).catch(() => {})
  }

  /** Serves the waiting pulls if there is something for them. Call it when there may be, after a commit. */
  wake(subscription: SubscriptionState): void {
    this.#alarm.set(subscription.unsettled.sweepAt)
    if (subscription.waiters.size === 0 || this.#serving.has(subscription) || !subscription.hasMessages()) return
    this.#serving.add(subscription)
    this.#serve(subscription).finally(() => {
      this.#serving.delete(subscription)
      // a pattern's reader that passed over what isn't its own goes on, before those give up who wait no longer
      this.wake(subscription)
      if (!this.#serving.has(subscription)) this.#expire(subscription, this.#parts.clock.monotonic())
    })
  }

  /** Does what is due, and sets the alarm for what comes next. */
  tick(): void {
    const { clock, subscriptions, retention } = this.#parts
    const now = clock.monotonic()
    let ended = 0
    for (const subscription of subscriptions.all()) {
      this.#sweep(subscription, now)
      this.wake(subscription)
      if (!this.#serving.has(subscription)) this.#expire(subscription, now)
      if (subscription.waiters.size > 0) this.used(subscription)
      const overAt = subscription.idleness.overAt(subscription.terms.expiresAfterMs)
      if (overAt > now || ended >= ENDED_AT_ONCE) {
        this.#alarm.set(Math.max(overAt, now + 1))
      } else {
        ended++
        this.#end(subscription)
      }
    }
    if (retention.dueAt <= now) this.#trim()
    else this.#alarm.set(retention.dueAt)
    this.placeDue()
  }

  /** Has delayed messages take their places, those that are due, now, and the others when they are. */
  placeDue(): void {
    const { clock, commit, delayed, place } = this.#parts
    if (delayed.dueAt > clock.monotonic()) {
      this.#alarm.set(delayed.dueAt)
      return
    }
    const placed = delayed.place((step) =>
      commit.run((tx) => {
        place(tx, step(tx))
      }),
    )
    placed.finally(() => this.#alarm.set(delayed.dueAt))
  }

  /** Has a topic trimmed, soon, if it is too long. */
  considerTrimming(topic: Topic): void {
    this.#parts.retention.consider(topic)
    this.#alarm.set(this.#parts.retention.dueAt)
  }

  /** Ends all waits, empty, and the timer. */
  stop(): void {
    this.#alarm.stop()
    for (const subscription of this.#parts.subscriptions.all()) subscription.waiters.end()
  }

  /** Ends the waits whose time is over. */
  #expire(subscription: SubscriptionState, now: number): void {
    const { size } = subscription.waiters
    this.#alarm.set(subscription.waiters.expire(now))
    if (subscription.waiters.size < size) this.used(subscription)
  }

  /** Removes an idle subscription, unless it is used meanwhile. */
  #end(subscription: SubscriptionState): void {
    const { clock, commit, log, subscriptions } = this.#parts
    const ended = commit.run((tx) => {
      if (subscriptions.find(subscription.id) === undefined) return
      if (subscription.idleness.overAt(subscription.terms.expiresAfterMs) > clock.monotonic()) return
      subscriptions.remove(tx, subscription)
      tx.after(() => {
        for (const topic of log.topics()) this.considerTrimming(topic)
      })
    })
    ended.catch(() => this.#alarm.set(clock.monotonic() + RETRY_MS))
  }

  async #serve(subscription: SubscriptionState): Promise<void> {
    const { commit, log, subscriptions } = this.#parts
    const { waiters } = subscription
    const served = new Map<Waiter, readonly Delivery[]>()
    try {
      await commit.run((tx) => {
        if (subscriptions.find(subscription.id) === undefined) return
        log.writeHeld()
        for (let waiter = waiters.first(); waiter !== undefined; waiter = waiters.first()) {
          const taken = waiter
          const deliveries = subscription.lease(tx, taken.max, taken.consumer)
          if (deliveries.length === 0) return
          tx.undo(() => {
            served.delete(taken)
            waiters.putBack(taken)
          })
          waiters.take(taken)
          served.set(taken, deliveries)
        }
      })
      for (const [waiter, deliveries] of served) waiter.resolve(deliveries)
    } catch (fault) {
      waiters.fail(toDriverError(fault))
    }
  }

  #sweep(subscription: SubscriptionState, now: number): void {
    const dying = subscription.unsettled.sweep(now, subscription.terms.maxDeliver)
    if (dying.length === 0) return
    const { commit, log, subscriptions } = this.#parts
    const buried = commit.run((tx) => {
      if (subscriptions.find(subscription.id) === undefined) return
      log.writeHeld()
      subscription.bury(tx, dying)
    })
    // A burial that failed is tried again by a later sweep, which `sweepAt` already asks for.
    buried.catch(() => {}).finally(() => this.wake(subscription))
  }

  #trim(): void {
    const { commit, retention } = this.#parts
    retention.trim((step) => commit.run(step)).finally(() => this.#alarm.set(retention.dueAt))
  }
}
