import type { DeadLetter, DeadLetterChoice, DeadLetterQuery } from '../administration.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { Subscriptions } from './subscriptions.ts'

/** Dead letters put back or thrown away at a time. */
const MOST_AT_ONCE = 200

/** What it works with. */
export interface DeadLetterOfficeParts {
  readonly deadLetters: DeadLetters
  readonly subscriptions: Pick<Subscriptions, 'takeBack' | 'want'>
}

/** What becomes of dead letters: they are shown, put back, or thrown away. Rejects with DriverError, `not-found` for an unknown subscription. */
export class DeadLetterOffice {
  readonly #parts: DeadLetterOfficeParts

  constructor(parts: DeadLetterOfficeParts) {
    this.#parts = parts
  }

  /** Those that a query means, oldest first. */
  async list(query: DeadLetterQuery): Promise<readonly DeadLetter[]> {
    await this.#want(query.subscription)
    return this.#parts.deadLetters.list(query)
  }

  /** How many there are, counted up to `most`. */
  async count(most: number): Promise<number> {
    return Math.min(most, await this.#parts.deadLetters.count())
  }

  /** Puts some back: each is in its subscription before it is no letter any more. Returns how many. */
  async redrive({ subscription, ids }: DeadLetterChoice): Promise<number> {
    const { deadLetters, subscriptions } = this.#parts
    await this.#want(subscription)
    const chosen = await deadLetters.choose(subscription, ids, MOST_AT_ONCE)
    let count = 0
    for (const [id, letters] of Map.groupBy(chosen, (one) => one.subscription)) {
      const seqs = letters.map(({ seq }) => seq)
      const back = new Set(await subscriptions.takeBack(id, seqs))
      for (const letter of letters) if (back.has(letter.seq)) await deadLetters.remove(letter)
      count += back.size
    }
    return count
  }

  /** Throws some away. Returns how many. */
  async discard({ subscription, ids }: DeadLetterChoice): Promise<number> {
    const { deadLetters } = this.#parts
    await this.#want(subscription)
    let count = 0
    for (const letter of await deadLetters.choose(subscription, ids, MOST_AT_ONCE))
      if (await deadLetters.remove(letter)) count++
    return count
  }

  async #want(subscription: string | undefined): Promise<void> {
    if (subscription !== undefined) await this.#parts.subscriptions.want(subscription)
  }
}
