import type { Delivery } from '../consumer.ts'

/** A pull that waits for messages. */
export interface WaitingPull {
  /** Most messages it takes. */
  readonly max: number
  /** When it gives up, monotonic milliseconds. */
  readonly until: number
  /** Who gets them. */
  readonly holder: string
  /** Ends it with what it gets. */
  resolve(deliveries: readonly Delivery[]): void
  /** Ends it with why there is nothing. */
  reject(fault: unknown): void
}

/** The pulls that wait on one subscription, served in the order they came. One that is being served gets what there is, even if it gives up meanwhile. */
export class WaitingPulls {
  readonly #queue = new Set<WaitingPull>()

  /** How many wait. */
  get size(): number {
    return this.#queue.size
  }

  /** Queues a pull; it ends empty when `signal` fires before it is served. */
  wait(pull: Pick<WaitingPull, 'max' | 'until' | 'holder'>, signal: AbortSignal): Promise<readonly Delivery[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly Delivery[]>()
    const waiting = { ...pull, resolve, reject }
    const aborted = () => this.#queue.delete(waiting) && resolve([])
    signal.addEventListener('abort', aborted, { once: true })
    this.#queue.add(waiting)
    return promise.finally(() => signal.removeEventListener('abort', aborted))
  }

  /** The one that has waited longest. */
  first(): WaitingPull | undefined {
    return this.#queue.values().next().value
  }

  /** Begins to serve one. False where it has given up. */
  begin(pull: WaitingPull): boolean {
    return this.#queue.delete(pull)
  }

  /** Ends those whose time is over, empty. Returns when the next one's is, or Infinity. */
  expire(now: number): number {
    let next = Number.POSITIVE_INFINITY
    for (const pull of this.#queue) {
      if (pull.until > now) next = Math.min(next, pull.until)
      else if (this.#queue.delete(pull)) pull.resolve([])
    }
    return next
  }

  /** Ends all: empty, or with a fault. */
  end(fault?: unknown): void {
    for (const pull of this.#queue) {
      this.#queue.delete(pull)
      if (fault === undefined) pull.resolve([])
      else pull.reject(fault)
    }
  }
}
