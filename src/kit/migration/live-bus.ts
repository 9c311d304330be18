import type { BusPlace } from '../../drivers/bus/contract.ts'
import { checkBusSizes, fillBus, readBus } from '../../drivers/bus/open.ts'
import type { BusFilling, BusSnapshot } from '../../drivers/bus/transfer.ts'
import { DriverError } from '../../drivers/driver-error.ts'
import { copyMessages, fillFrom } from './bus-filling.ts'

/** A bus that is copied while its broker writes to it: messages again and again as they come, all else in the end. Methods reject with DriverError. */
export class LiveBus {
  readonly #from: BusPlace
  readonly #filling: BusFilling

  private constructor(from: BusPlace, filling: BusFilling) {
    this.#from = from
    this.#filling = filling
  }

  /** Makes the target; undefined where there is no bus yet. @param run names the run for good */
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

  /** Copies the last messages and all else, once the broker is held; the target is a bus like any other then. */
  async finish(signal: AbortSignal): Promise<void> {
    await this.#read((source) => fillFrom(source, this.#filling, { signal }))
    await this.#filling.end()
  }

  async close(): Promise<void> {
    await this.#filling.close()
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
