import type { Fault } from './faults.ts'
import type { Orders } from './orders.ts'

/** What a fault did, milliseconds. */
export interface Suffered {
  readonly fault: Pick<Fault, 'kind' | 'target'>
  /** Until the role was ready again; absent where that isn't its own doing. */
  readonly backMs: number | undefined
  /** From the end of the fault until an order was taken, as far as nothing else was struck meanwhile; Infinity: never. */
  takenMs: number
  /** The same, until that order was paid. */
  paidMs: number
}

/** Does faults, several at once where they are asked for, and measures how long after each the first success comes. */
export class Outages {
  readonly suffered: Suffered[] = []
  readonly #orders: Pick<Orders, 'nextTaken' | 'paid'>
  readonly #struck = new Set<string>()
  readonly #measuring = new Set<Promise<void>>()
  /** Milliseconds in which all was well, up to `#since`. */
  #well = 0
  #since = performance.now()

  constructor(orders: Pick<Orders, 'nextTaken' | 'paid'>) {
    this.#orders = orders
  }

  isStruck(target: string): boolean {
    return this.#struck.has(target)
  }

  /** Does a fault. Resolves when the other side is well. */
  async strike(fault: Fault): Promise<void> {
    this.#tick()
    this.#struck.add(fault.target)
    const backMs = await fault.strike()
    this.#tick()
    this.#struck.delete(fault.target)
    const { kind, target } = fault
    const suffered: Suffered = {
      fault: { kind, target },
      backMs,
      takenMs: Number.POSITIVE_INFINITY,
      paidMs: Number.POSITIVE_INFINITY,
    }
    this.suffered.push(suffered)
    const measured = this.#measure(suffered).finally(() => this.#measuring.delete(measured))
    this.#measuring.add(measured)
  }

  /** Resolves when what follows the faults is measured, or after `patience`. */
  async settled(patience: Promise<unknown>): Promise<void> {
    await Promise.race([Promise.all(this.#measuring), patience])
  }

  async #measure(suffered: Suffered): Promise<void> {
    const since = this.#tick()
    const order = await this.#orders.nextTaken()
    suffered.takenMs = this.#tick() - since
    await this.#orders.paid(order)
    suffered.paidMs = this.#tick() - since
  }

  /** A clock that stands still while something is struck. */
  #tick(): number {
    const now = performance.now()
    if (this.#struck.size === 0) this.#well += now - this.#since
    this.#since = now
    return this.#well
  }
}
