import { DriverError } from '../../driver-error.ts'
import type { DeadLetter, DeadLetterChoice, DeadLetterQuery, FreshDeadLetter } from '../administration.ts'
import { boundedLimit } from '../page-of.ts'
import type { DeadLetterRow, DeadLetters } from './dead-letters.ts'
import type { GroupCommit } from './group-commit.ts'
import type { MessageLog } from './message-log.ts'
import type { SubscriptionState } from './subscription-state.ts'
import type { Subscriptions } from './subscriptions.ts'

/** Dead letters put back or thrown away at a time: some 5 ms of work. */
const MOST_AT_ONCE = 200

/** What it works with. */
export interface DeadLetterOfficeParts {
  readonly commit: GroupCommit
  readonly log: MessageLog
  readonly deadLetters: DeadLetters
  readonly subscriptions: Subscriptions
  /** Told of a subscription that has messages again. */
  readonly wake: (subscription: SubscriptionState) => void
}

/** What becomes of dead letters: they are shown, put back, or thrown away. All goes through the group commit, to come after the burials that are due. */
export class DeadLetterOffice {
  readonly #parts: DeadLetterOfficeParts
  readonly #mourners = new Set<(letter: FreshDeadLetter) => void>()

  constructor(parts: DeadLetterOfficeParts) {
    this.#parts = parts
  }

  watch(notify: (letter: FreshDeadLetter) => void): void {
    this.#mourners.add(notify)
  }

  /** Tells of one that is on disk. */
  died(letter: FreshDeadLetter): void {
    for (const notify of this.#mourners) notify(letter)
  }

  list({ subscription: of, id, limit, after = '0' }: DeadLetterQuery): Promise<readonly DeadLetter[]> {
    const { commit, log, deadLetters, subscriptions } = this.#parts
    return commit.run(() => {
      if (!/^\d{1,15}$/.test(after)) throw new DriverError('invalid', `${after} is no cursor of a dead letter`)
      const only = of === undefined ? {} : { subscription: subscriptions.get(of).key }
      const filter = { ...only, ...(id !== undefined && { id }), after: Number(after), limit: boundedLimit(limit) }
      return deadLetters.list(filter).map((letter) => ({
        ...log.message(letter),
        cursor: String(letter.key),
        subscription: subscriptions.keyed(letter.subscription)?.id ?? '',
        deliveries: letter.deliveries,
        reason: letter.reason,
      }))
    })
  }

  count(most: number): Promise<number> {
    return this.#parts.commit.run(() => this.#parts.deadLetters.count(boundedLimit(most)))
  }

  redrive({ subscription: of, ids }: DeadLetterChoice): Promise<number> {
    const { commit, log, subscriptions, wake } = this.#parts
    return commit.run((tx) => {
      log.writeHeld()
      const wanted = of === undefined ? undefined : subscriptions.get(of)
      const redriven = new Set<SubscriptionState>()
      let count = 0
      for (const letter of ids === undefined ? this.#returnable(wanted) : this.#named(ids, wanted)) {
        const subscription = subscriptions.keyed(letter.subscription)
        if (subscription === undefined || subscription.room <= 0) continue
        subscription.takeBack(tx, letter)
        redriven.add(subscription)
        if (++count >= MOST_AT_ONCE) break
      }
      tx.after(() => {
        for (const subscription of redriven) wake(subscription)
      })
      return count
    })
  }

  discard({ subscription: of, ids }: DeadLetterChoice): Promise<number> {
    const { commit, deadLetters, subscriptions } = this.#parts
    return commit.run(() => {
      const wanted = of === undefined ? undefined : subscriptions.get(of)
      const only = wanted === undefined ? {} : { subscription: wanted.key }
      let count = 0
      for (const { key } of ids ? this.#named(ids, wanted) : deadLetters.list({ ...only, limit: MOST_AT_ONCE })) {
        deadLetters.remove(key)
        if (++count >= MOST_AT_ONCE) break
      }
      return count
    })
  }

  /** Those of one subscription or of all that there is room for. */
  *#returnable(wanted: SubscriptionState | undefined): Generator<DeadLetterRow> {
    const { deadLetters, subscriptions } = this.#parts
    for (const { key, room } of wanted === undefined ? subscriptions.all() : [wanted]) {
      if (room > 0) yield* deadLetters.list({ subscription: key, limit: Math.min(room, MOST_AT_ONCE) })
    }
  }

  /** Those with one of these ids, of one subscription or of all. */
  *#named(ids: readonly string[], wanted: SubscriptionState | undefined): Generator<DeadLetterRow> {
    const only = wanted === undefined ? {} : { subscription: wanted.key }
    for (const id of ids) {
      for (const letter of this.#parts.deadLetters.list({ ...only, id, limit: MOST_AT_ONCE }))
        if (letter.id === id) yield letter
    }
  }
}
