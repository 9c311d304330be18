import type { DriverError } from '../../driver-error.ts'
import type { Delivery } from '../consumer.ts'

/** A pull that waits for messages. */
export interface Waiter {
  /** Most messages it takes. */
  readonly max: number
  /** When it gives up, monotonic milliseconds. */
  readonly until: number
  /** Who pulls, if it said. */
  readonly consumer?: string | undefined
  /** Ends the wait with what it gets. */
  resolve(deliveries: readonly Delivery[]): void
  /** Ends the wait with why there is nothing. */
  reject(fault: DriverError): void
}

/** The pulls that wait on one subscription, served in the order they came. */
export class Waiters {
  #queue = new Set<Waiter>()

  /** How many wait. */
  get size(): number {
    return this.#queue.size
  }

  /** Queues a pull; its promise ends empty when `signal` fires. */
  wait({
    max,
    until,
    consumer,
    signal,
  }: Pick<Waiter, 'max' | 'until' | 'consumer'> & { signal: AbortSignal }): Promise<readonly Delivery[]> {
    return new Promise((resolve, reject) => {
      const aborted = () => {
        this.#queue.delete(waiter)
        resolve([])
      }
      const waiter: Waiter = {
        max,
        until,
        consumer,
        resolve(deliveries) {
          signal.removeEventListener('abort', aborted)
          resolve(deliveries)
        },
        reject(fault) {
          signal.removeEventListener('abort', aborted)
          reject(fault)
        },
      }
      signal.addEventListener('abort', aborted, { once: true })
      this.#queue.add(waiter)
    })
  }

  /** The one that has waited longest. */
  first(): Waiter | undefined {
    return this.#queue.values().next().value
  }

  /** Takes one out of the queue; its promise is now the caller's. */
  take(waiter: Waiter): void {
    this.#queue.delete(waiter)
  }

  /** Puts one back that `take` took, before all others. */
  putBack(waiter: Waiter): void {
    this.#queue = new Set([waiter, ...this.#queue])
  }

  /** Ends those whose time is over, empty. Returns when the next one's is, or Infinity. */
  expire(now: number): number {
    let next = Number.POSITIVE_INFINITY
    for (const waiter of this.#queue) {
      if (waiter.until > now) next = Math.min(next, waiter.until)
      else this.#end(waiter)
    }
    return next
  }

  /** Ends all, empty. */
  end(): void {
    for (const waiter of this.#queue) this.#end(waiter)
  }

  /** Ends all with a fault. */
  fail(fault: DriverError): void {
    for (const waiter of this.#queue) {
      this.#queue.delete(waiter)
      waiter.reject(fault)
    }
  }

  #end(waiter: Waiter): void {
    this.#queue.delete(waiter)
    waiter.resolve([])
  }
}
