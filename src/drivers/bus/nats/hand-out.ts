import { ackToken } from '../ack-token.ts'
import type { Delivery } from '../consumer.ts'
import { keyIn } from '../message-key.ts'
import type { StoredMessage } from '../publisher.ts'
import { toDriverError } from './faults.ts'
import type { Entry, LeaseBook } from './lease-book.ts'
import type { MessageSource } from './message-source.ts'
import type { SubscriptionName } from './names.ts'
import type { Turns } from './turns.ts'
import type { Undertaker } from './undertaker.ts'
import type { WaitingPull, WaitingPulls } from './waiting-pulls.ts'

/** Most messages a subscription has out at a time; further ones stay in the stream. */
const MOST_OUT = 10_000
/** Most that wait for another of their key: where that many do, all others wait too. Some 3 MB. */
const MOST_WAITING = 100_000
/** Characters after which a pull takes no further message: at 3 bytes each, and with a last message of 1 MiB, under the contract's 8 MiB. */
const MAX_PULL_SIZE = 2 * 1024 * 1024

/** What messages are handed out with. */
export interface HandOutParts {
  readonly book: LeaseBook
  readonly pulls: WaitingPulls
  readonly turns: Turns
  readonly source: Pick<MessageSource, 'next'>
  readonly undertaker: Undertaker
  readonly name: () => SubscriptionName | undefined
  /** Told of deliveries that nobody gets, though they may stand in the journal. */
  readonly unsure: (tokens: readonly string[]) => void
}

/** Whether one more message may be out, or wait for another: what a subscription has to write down is bounded by that. */
export function hasRoom({ size, waiting }: Pick<LeaseBook, 'size' | 'waiting'>): boolean {
  return size < MOST_OUT && waiting < MOST_WAITING
}

/** Gives the waiting pulls of one subscription what there is for them. */
export class HandOut {
  readonly #parts: HandOutParts

  constructor(parts: HandOutParts) {
    this.#parts = parts
  }

  /** Serves them in turn, within a turn of the subscription. */
  async serve(): Promise<void> {
    const { pulls, turns, unsure } = this.#parts
    for (let pull = pulls.first(); pull !== undefined; pull = pulls.first()) {
      const served = pull
      try {
        const deliveries = await this.#take(served)
        if (deliveries.length > 0)
          turns.after(
            () => served.resolve(deliveries),
            () => unsure(deliveries.map(({ ack }) => ack)),
          )
        else if (pulls.first() === served) return
      } catch (fault) {
        pulls.end(toDriverError(fault))
      }
    }
  }

  /** Hands out messages to a pull that waits, as long as it does: those to be delivered again first, then new ones. */
  async #take(pull: WaitingPull): Promise<readonly Delivery[]> {
    const { book, undertaker } = this.#parts
    const name = this.#parts.name()
    if (name === undefined) return []
    const taken: Delivery[] = []
    let left = MAX_PULL_SIZE
    const give = async (entry: Entry, message: StoredMessage) => {
      // what it waited for it gets, even if it gives up from now on
      if (taken.length === 0 && !this.#begin(pull)) return false
      const then = book.lease(entry, { ...name, holder: pull.holder })
      if (then.at === 'dead') {
        await undertaker.bury(entry, then.reason)
        return true
      }
      const ack = ackToken({ subscription: name.key, position: entry.seq, attempt: then.attempt })
      taken.push({ ...message, delivery: then.deliveries, ack })
      left -= message.payload.length
      return true
    }
    const hasRoom = () => taken.length < pull.max && left > 0
    try {
      for (const entry of [...book.ready()]) {
        if (!hasRoom()) return taken
        const message = await undertaker.content(entry)
        if (message === undefined) undertaker.done(entry)
        else if (!(await give(entry, message))) return taken
      }
      await this.#takeNew(() => (hasRoom() ? pull.max - taken.length : 0), give)
    } catch (fault) {
      if (taken.length === 0) throw fault
    }
    return taken
  }

  async #takeNew(
    wanted: () => number,
    give: (entry: Entry, message: StoredMessage) => Promise<boolean>,
  ): Promise<void> {
    const { book, source } = this.#parts
    while (wanted() > 0 && hasRoom(book)) {
      const message = await source.next(wanted())
      if (message === undefined) return
      const entry = book.admit(message.offset, keyIn(JSON.stringify(message.attributes)))
      if (entry && !(await give(entry, message))) return
    }
  }

  #begin(pull: WaitingPull): boolean {
    const { pulls, turns } = this.#parts
    const isWaiting = pulls.begin(pull)
    if (isWaiting) turns.after(() => {}, pull.reject)
    return isWaiting
  }
}
