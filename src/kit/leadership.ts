import type { Cache, Lease } from '../drivers/cache/contract.ts'
import type { Clock } from '../drivers/clock.ts'
import { pause } from './pause.ts'

/** How long a lease is asked for, milliseconds: who was killed is followed by another one so much later. */
const LEASE_MS = 3_000
/** How often it is renewed, or asked for, milliseconds: three times in a lease, so that one answer may be lost. */
const LOOK_MS = 1_000

/** Whether this replica is the one that does what only one may do. */
export type Leadership =
  | { readonly at: 'leading'; readonly lease: Lease }
  | { readonly at: 'following' }
  /** The cache doesn't answer, so nobody can know. */
  | { readonly at: 'unknown' }

/** What is to be led, and by whom. */
export interface LeadershipOptions {
  readonly cache: Pick<Cache, 'acquire' | 'renew' | 'release'>
  /** What only one replica may do, such as `health-checks`. */
  readonly name: string
  /** This replica's own name. */
  readonly holder: string
  readonly clock: Clock
  /** Told each time that it is another than before. What was done under a lease must have stopped when it returns. */
  readonly onChange: (now: Leadership) => void
}

/**
 * Chooses one replica among all for what only one at a time may do, by a lease of 3 s with a fence. A leader that can't renew its lease counts as none
 * before it is over, by the monotonic clock from when it asked: no other can have it by then.
 */
export class LeaderElection {
  readonly #options: LeadershipOptions
  readonly #stop = new AbortController()
  #now: Leadership = { at: 'unknown' }
  /** When the lease is over, monotonic milliseconds. */
  #until = 0
  #running: Promise<void> | undefined

  constructor(options: LeadershipOptions) {
    this.#options = options
  }

  /** Who leads, as far as is known. */
  get now(): Leadership {
    return this.#now
  }

  /** Begins to look; resolves after the first look. */
  async open(): Promise<void> {
    await this.#look()
    this.#running = this.#run()
  }

  /** Gives the lease back, so that the next one need not wait for its end. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running
    const last = this.#now
    this.#become({ at: 'unknown' })
    // one that is away has it end by itself
    if (last.at === 'leading') await this.#options.cache.release(last.lease).catch(() => {})
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      await pause(LOOK_MS, signal)
      if (!signal.aborted) await this.#look()
    }
  }

  async #look(): Promise<void> {
    const { cache, name, holder, clock } = this.#options
    const until = clock.monotonic() + LEASE_MS
    try {
      const held = this.#now.at === 'leading' ? this.#now.lease : undefined
      const isRenewed = held !== undefined && (await cache.renew(held, LEASE_MS))
      const lease = isRenewed ? held : await cache.acquire(name, holder, LEASE_MS)
      if (lease) this.#until = until
      this.#become(lease ? { at: 'leading', lease } : { at: 'following' })
    } catch {
      // one answer may be lost; before the lease is over another one must not find this one at work
      if (this.#now.at !== 'leading' || clock.monotonic() + LOOK_MS >= this.#until) this.#become({ at: 'unknown' })
    }
  }

  #become(next: Leadership): void {
    const before = this.#now
    this.#now = next
    const isSame = before.at === next.at && (next.at !== 'leading' || fenceOf(before) === next.lease.fence)
    if (!isSame) this.#options.onChange(next)
  }
}

function fenceOf(leadership: Leadership): number | undefined {
  return leadership.at === 'leading' ? leadership.lease.fence : undefined
}
