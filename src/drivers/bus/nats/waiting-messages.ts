import type { DelayedPlace } from '../delay.ts'
import { dedupId } from './message-format.ts'
import { TimeOrder } from './time-order.ts'

/** Messages whose ids are still known here when they have taken their places. */
const MOST_PLACED = 100_000

/** A message that waits, or did a short while ago. */
export interface Waiting {
  readonly seq: number
  readonly topic: string
  /** Its publisher's. */
  readonly id: string
  /** What the server knows it by. */
  readonly storedAs: string
  /** When it takes its place, milliseconds since 1970. */
  readonly dueAt: number
  /** The same in monotonic milliseconds. */
  readonly at: number
}

/** What a broker knows of the messages that wait, and for a while of those that did: all but what they say. */
export class WaitingMessages {
  readonly #waiting = new TimeOrder<Waiting>()
  /** By topic and id, as `dedupId` has them: those that wait, and those that have taken their places lately. */
  readonly #byId = new Map<string, Waiting>()
  readonly #placed: Waiting[] = []

  /** How many wait. */
  get size(): number {
    return this.#waiting.size
  }

  /** The next one. */
  get first(): Waiting | undefined {
    return this.#waiting.first
  }

  /** One that waits, or did lately. @param id as `dedupId` has it */
  find(id: string): Waiting | undefined {
    return this.#byId.get(id)
  }

  /** It waits; one that is known changes nothing. */
  add(one: Waiting): void {
    const id = dedupId(one)
    if (this.#byId.get(id)?.seq === one.seq) return
    // the same text once in memory
    const kept = id === one.storedAs ? { ...one, storedAs: id } : one
    this.#waiting.add(kept)
    this.#byId.set(id, kept)
  }

  /** It doesn't wait any more, and its id is free. */
  drop(one: Waiting): void {
    this.#waiting.delete(one)
    const id = dedupId(one)
    if (this.#byId.get(id)?.seq === one.seq) this.#byId.delete(id)
  }

  /** Those behind a place that are wanted, the next one first, at most so many. */
  behind(place: DelayedPlace, wants: (one: Waiting) => boolean, most: number): readonly Waiting[] {
    const found: Waiting[] = []
    // theirs is the order of the monotonic clock, from which the wall clocks of their brokers may differ
    for (const one of this.#waiting) {
      const last = found.at(-1)
      if (last && found.length >= most && comesBefore(placeOf(last), one)) continue
      if (!comesBefore(place, one) || !wants(one)) continue
      const at = found.findLastIndex((other) => comesBefore(placeOf(other), one)) + 1
      found.splice(at, 0, one)
      if (found.length > most) found.pop()
    }
    return found
  }

  /** Takes those out that are due by a time (monotonic milliseconds), at most so many. */
  takeDue(by: number, most: number): readonly Waiting[] {
    return this.#waiting.take(by, most)
  }

  /** Puts those back that couldn't take their places. */
  putBack(ones: readonly Waiting[]): void {
    for (const one of ones) this.#waiting.add(one)
  }

  /** These have taken their places: their ids are known for a while. @param since monotonic milliseconds: what was due before is forgotten */
  remember(placed: readonly Waiting[], since: number): void {
    this.#placed.push(...placed)
    let gone = 0
    for (const one of this.#placed) {
      if (one.at > since && this.#placed.length - gone <= MOST_PLACED) break
      const id = dedupId(one)
      if (this.#byId.get(id)?.seq === one.seq) this.#byId.delete(id)
      gone++
    }
    this.#placed.splice(0, gone)
  }
}

const placeOf = ({ dueAt, seq }: Waiting): DelayedPlace => ({ dueAt, nr: seq })

function comesBefore(place: DelayedPlace, { dueAt, seq }: Waiting): boolean {
  return dueAt > place.dueAt || (dueAt === place.dueAt && seq > place.nr)
}
