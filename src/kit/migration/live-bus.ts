import type { BusPlace } from '../../drivers/bus/contract.ts'
import { checkBusSizes, fillBus, readBus } from '../../drivers/bus/open.ts'
import type { BusFilling, BusRest, BusSnapshot } from '../../drivers/bus/transfer.ts'
import { DriverError } from '../../drivers/driver-error.ts'
import { type ComparedMessages, differingRest, differingTopics } from './bus-comparison.ts'
import { copyMessages, fillFrom } from './bus-filling.ts'

/** A bus that is copied while its broker writes to it: messages again and again as they come, all else in the end. Methods reject with DriverError. */
export class LiveBus {
  readonly #from: BusPlace
  readonly #filling: BusFilling
  /** The place up to which messages have been compared. */
  #compared = 0
  /** What the target had besides messages when it was last filled. */
  #rest: BusRest | undefined

  private constructor(from: BusPlace, filling: BusFilling) {
    this.#from = from
    this.#filling = filling
  }

  /**
   * Makes the target; undefined where there is no bus yet. Rejects with `unavailable` where a broker runs on the target, `conflict` where it holds something else.
   * @param run names the run for good
   */
  static async open(from: BusPlace, to: BusPlace, run: string): Promise<LiveBus | undefined> {
    const source = await readBus(from)
    try {
      if (source) await checkBusSizes(to, await source.largest())
    } finally {
      await source?.close()
    }
    return source && new LiveBus(from, await fillBus(to, run))
  }

  /** Copies the messages that the target doesn't have; gives how many they were. Rejects with the signal's reason too. */
  async follow(signal: AbortSignal, onCopied: (messages: number) => void = () => {}): Promise<number> {
    let count = 0
    const tell = (messages: number) => {
      count += messages
      onCopied(messages)
    }
    await this.#read((source) => copyMessages(source, this.#filling, { signal, onCopied: tell }))
    return count
  }

  /** Copies the last messages and all else, once the broker is held. May be done again when it comes to nothing, also by the next run. */
  async finish(signal: AbortSignal): Promise<void> {
    await this.#read((source) => fillFrom(source, this.#filling, { signal }))
    // brokers change it as soon as it is theirs
    this.#rest = await this.#filling.rest()
  }

  /** Compares the messages that were copied so far; gives what differs. */
  async compareMessages(signal: AbortSignal): Promise<readonly string[]> {
    const upTo = this.#filling.place
    const differing = await this.#differingMessages({ after: this.#compared, upTo, signal })
    this.#compared = upTo
    return differing
  }

  /** Compares the last messages and all else that `finish` copied, now that nobody writes to the source any more; gives what differs. */
  async compare(signal: AbortSignal): Promise<readonly string[]> {
    const differing = await this.#differingMessages({ after: this.#compared, signal })
    const rest = this.#rest
    if (rest === undefined) return differing
    const others = await this.#read((source) => differingRest(source, rest, signal))
    return [...differing, ...others.map((what) => `the bus's ${what}`)]
  }

  /** The target is a bus like any other from now on. */
  async end(): Promise<void> {
    await this.#filling.end()
  }

  async close(): Promise<void> {
    await this.#filling.close()
  }

  async #differingMessages(which: ComparedMessages): Promise<readonly string[]> {
    const topics = await this.#read((source) => differingTopics(source, this.#filling, which))
    return topics.map((topic) => `the bus's messages of ${topic}`)
  }

  async #read<T>(work: (source: BusSnapshot) => Promise<T>): Promise<T> {
    const source = await readBus(this.#from)
    if (!source) throw new DriverError('unavailable', 'the bus is gone')
    try {
      return await work(source)
    } finally {
      await source.close()
    }
  }
}
