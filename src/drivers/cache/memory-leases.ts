import type { Lease } from './contract.ts'

interface Held {
  readonly lease: Lease
  /** Monotonic milliseconds. */
  readonly until: number
}

/** Leases within one process. All times are passed in, monotonic milliseconds. */
export class MemoryLeases {
  readonly #maxHeld: number
  readonly #held = new Map<string, Held>()
  #lastFence = 0

  /** @param maxHeld most leases at a time; beyond it those whose time is over are forgotten */
  constructor(maxHeld: number) {
    this.#maxHeld = maxHeld
  }

  /** A new lease, or the holder's own for longer; undefined when another holds it. */
  acquire(name: string, holder: string, ttlMs: number, now: number): Lease | undefined {
    const held = this.#current(name, now)
    if (held && held.holder !== holder) return undefined
    const lease = held ?? { name, holder, fence: ++this.#lastFence }
    this.#held.set(name, { lease, until: now + ttlMs })
    if (this.#held.size > this.#maxHeld) this.#forgetOver(now)
    return lease
  }

  /** Whether the lease still holds; then it does for another `ttlMs`. */
  renew({ name, fence }: Lease, ttlMs: number, now: number): boolean {
    const held = this.#current(name, now)
    if (held?.fence !== fence) return false
    this.#held.set(name, { lease: held, until: now + ttlMs })
    return true
  }

  /** Gives a lease back. */
  release({ name, fence }: Lease): void {
    if (this.#held.get(name)?.lease.fence === fence) this.#held.delete(name)
  }

  #current(name: string, now: number): Lease | undefined {
    const held = this.#held.get(name)
    return held && now < held.until ? held.lease : undefined
  }

  #forgetOver(now: number): void {
    for (const [name, { until }] of this.#held) if (now >= until) this.#held.delete(name)
  }
}
