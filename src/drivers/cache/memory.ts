import { type Clock, systemClock } from '../clock.ts'
import { DriverError } from '../driver-error.ts'
import { checkTake, checkTtl } from './checks.ts'
import type { BucketLimit, Cache, CacheDriver, CacheOptions, Lease, Taken } from './contract.ts'
import { MemoryLeases } from './memory-leases.ts'
import { MemoryTable } from './memory-table.ts'
import type { SharedTable } from './table.ts'
import { TokenBuckets } from './token-buckets.ts'

const DEFAULT_MAX_ENTRIES = 10_000

/**
 * The embedded cache: in this process's memory, gone with it, and seen by nobody else. Time is the monotonic clock: a wall clock that jumps ends no
 * lease and fills no bucket.
 *
 * `open` rejects with DriverError `invalid` for a wrong URL or bound.
 */
export const memory: CacheDriver = {
  checkUrl: wantUrl,
  open: async (options) => new MemoryCache(options),
}

function wantUrl(url: string): void {
  if (url.toLowerCase() === 'memory:') return
  throw new DriverError('invalid', 'cache: memory: takes nothing behind the colon')
}

class MemoryCache implements Cache {
  readonly shared = false
  readonly notes = []
  readonly #clock: Clock
  readonly #buckets: TokenBuckets
  readonly #leases: MemoryLeases
  readonly #tables = new Map<string, MemoryTable>()
  #closed = false

  constructor({ url, maxEntries = DEFAULT_MAX_ENTRIES, clock = systemClock }: CacheOptions) {
    wantUrl(url)
    if (!Number.isInteger(maxEntries) || maxEntries < 1) {
      throw new DriverError('invalid', `cache: maxEntries is ${maxEntries}; want a whole number above 0`)
    }
    this.#clock = clock
    this.#buckets = new TokenBuckets(maxEntries)
    this.#leases = new MemoryLeases(maxEntries)
  }

  async take(key: string, limit: BucketLimit, cost = 1): Promise<Taken> {
    this.#refuseWhenClosed()
    checkTake(limit, cost)
    return this.#buckets.take(key, limit, this.#clock.monotonic(), cost)
  }

  async acquire(name: string, holder: string, ttlMs: number): Promise<Lease | undefined> {
    this.#refuseWhenClosed()
    checkTtl(ttlMs)
    return this.#leases.acquire(name, holder, ttlMs, this.#clock.monotonic())
  }

  async renew(lease: Lease, ttlMs: number): Promise<boolean> {
    this.#refuseWhenClosed()
    checkTtl(ttlMs)
    return this.#leases.renew(lease, ttlMs, this.#clock.monotonic())
  }

  async release(lease: Lease): Promise<void> {
    this.#refuseWhenClosed()
    this.#leases.release(lease)
  }

  table(name: string): SharedTable {
    const table = this.#tables.get(name) ?? new MemoryTable(this.#clock)
    this.#tables.set(name, table)
    const refuseWhenClosed = () => this.#refuseWhenClosed()
    return {
      async write(writes) {
        refuseWhenClosed()
        return table.write(writes)
      },
      async changes(cursor) {
        refuseWhenClosed()
        return table.changes(cursor)
      },
    }
  }

  async check(signal: AbortSignal): Promise<void> {
    this.#refuseWhenClosed()
    if (signal.aborted) throw new DriverError('unavailable', 'cache: no time left to ask it', { cause: signal.reason })
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw new DriverError('closed', 'cache: it is closed')
  }
}
