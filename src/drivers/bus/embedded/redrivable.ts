import type { DeadLetterRow, DeadLetters } from './dead-letters.ts'
import type { SubscriptionState } from './subscription-state.ts'
import type { Subscriptions } from './subscriptions.ts'

/** Dead letters put back at a time: some 5 ms of work. */
export const MOST_REDRIVEN = 200

/** Where they are. */
interface Parts {
  readonly deadLetters: DeadLetters
  readonly subscriptions: Subscriptions
}

/** Dead letters of one subscription or of all, those first that there is room for. */
export function* returnable({ deadLetters, subscriptions }: Parts, wanted?: SubscriptionState) {
  for (const { key, room } of wanted === undefined ? subscriptions.all() : [wanted]) {
    if (room > 0) yield* deadLetters.list({ subscription: key, limit: Math.min(room, MOST_REDRIVEN) })
  }
}

/** Dead letters with one of these ids, of one subscription or of all. */
export function* lettersOf(
  { deadLetters }: Pick<Parts, 'deadLetters'>,
  ids: readonly string[],
  wanted?: SubscriptionState,
): Generator<DeadLetterRow> {
  const only = wanted === undefined ? {} : { subscription: wanted.key }
  for (const id of ids) {
    for (const letter of deadLetters.list({ ...only, id, limit: MOST_REDRIVEN })) if (letter.id === id) yield letter
  }
}
