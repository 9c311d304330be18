import { atTime, type Unsettled } from '../lease-rules.ts'
import type { Transaction } from './group-commit.ts'

/** When a death that could not be written down is tried again. */
const RETRY_MS = 1000

/** How many messages all subscriptions of a bus have out together. */
export interface Tally {
  count: number
}

/** A subscription's messages that were handed out and are neither acknowledged nor dead, in memory. */
export class UnsettledMessages {
  readonly #tally: Tally
  readonly #byPosition = new Map<number, Unsettled>()
  /** Positions to be handed out again, the one that became ready first in front. */
  readonly #ready = new Set<number>()
  /** When `sweep` next has something to do, monotonic milliseconds; never later than that, sometimes earlier. */
  sweepAt = Number.POSITIVE_INFINITY

  /** @param tally goes up and down with them. */
  constructor(tally: Tally) {
    this.#tally = tally
  }

  /** How many there are. */
  get size(): number {
    return this.#byPosition.size
  }

  /** How many are to be handed out again. */
  get readyCount(): number {
    return this.#ready.size
  }

  /** How many are on lease; counts them. */
  leased(): number {
    let count = 0
    for (const message of this.#byPosition.values()) if (message.at === 'leased') count++
    return count
  }

  /** Those that a consumer has on lease. */
  leasedTo(consumer: string): Unsettled[] {
    return [...this.#byPosition.values()].filter((message) => message.at === 'leased' && message.consumer === consumer)
  }

  /** The one at a position among all topics. */
  get(position: number): Unsettled | undefined {
    return this.#byPosition.get(position)
  }

  /** Those to be handed out again, in order; they may be changed meanwhile. */
  *ready(): Generator<Unsettled> {
    for (const position of this.#ready) {
      const message = this.#byPosition.get(position)
      if (message !== undefined) yield message
    }
  }

  /** Adds a message or puts it into another state, until `tx` fails. */
  set(tx: Transaction, message: Unsettled): void {
    const before = this.#byPosition.get(message.position)
    tx.undo(() => this.#restore(message.position, before))
    this.load(message)
  }

  /** Takes a message out, until `tx` fails. */
  delete(tx: Transaction, message: Unsettled): void {
    tx.undo(() => this.load(message))
    this.#restore(message.position, undefined)
  }

  /** Puts a message in that is on disk already. */
  load(message: Unsettled): void {
    const { size } = this.#byPosition
    this.#byPosition.set(message.position, message)
    this.#tally.count += this.#byPosition.size - size
    if (message.at === 'ready' || message.at === 'interrupted') {
      this.#ready.add(message.position)
      return
    }
    this.#ready.delete(message.position)
    this.sweepAt = Math.min(this.sweepAt, message.until)
  }

  /** Does what time does: makes ready whose lease or delay is over. Returns those that have had their last delivery. */
  sweep(now: number, maxDeliver: number): Unsettled[] {
    const dying: Unsettled[] = []
    if (now < this.sweepAt) return dying
    this.sweepAt = Number.POSITIVE_INFINITY
    for (const message of this.#byPosition.values()) {
      const then = atTime(message, now, maxDeliver)
      if (then.at === 'dead') {
        dying.push(message)
        this.sweepAt = Math.min(this.sweepAt, now + RETRY_MS)
      } else if (then !== message || message.at === 'leased' || message.at === 'delayed') {
        this.load(then)
      }
    }
    return dying
  }

  /** The lowest offset among those of a topic, or Infinity. */
  lowestOffset(topic: number): number {
    let lowest = Number.POSITIVE_INFINITY
    for (const message of this.#byPosition.values()) {
      if (message.topic === topic && message.offset < lowest) lowest = message.offset
    }
    return lowest
  }

  #restore(position: number, message: Unsettled | undefined): void {
    if (message === undefined) {
      if (this.#byPosition.delete(position)) this.#tally.count--
      this.#ready.delete(position)
    } else {
      this.load(message)
    }
  }
}
