import type { Clock } from '../clock.ts'
import type { DriverError } from '../driver-error.ts'
import type { SharedTable } from './table.ts'

/** How fast a token bucket refills, and how much it holds (RFC 2697's committed rate and burst). */
export interface BucketLimit {
  /** Tokens that flow in each second, above 0. */
  readonly perSecond: number
  /** Most tokens at once, at least 1. A bucket that nobody took from is full. */
  readonly burst: number
}

/** What was said to one who wanted tokens. */
export interface Taken {
  readonly allowed: boolean
  /** Tokens left, in fractions too. */
  readonly left: number
  /** Milliseconds after which as much may be taken, if nobody else takes it first; 0 when it was allowed. */
  readonly retryAfterMs: number
}

/** Something that one holder at a time may do, until its time is over. */
export interface Lease {
  readonly name: string
  /** Who holds it: unique, such as an instance's id. */
  readonly holder: string
  /**
   * Greater with each new lease of that name. Who writes under a lease sends it along, so that a holder that stood still past its time is told from
   * the one after it (Kleppmann, "How to do distributed locking", 2016).
   */
  readonly fence: number
}

/**
 * What several processes must agree on within a moment: takes, leases and tables, each atomic. Every driver passes test/drivers/cache-suite.ts.
 * What is kept here may be lost: buckets are full again then, leases free, and fences go on growing. Nothing waits for a server that is away.
 * Methods reject with DriverError: `unavailable`, `full`, `closed`; `invalid` for numbers that make no sense.
 */
export interface Cache {
  /** Whether all processes that open it with the same prefix see the same; else it is this process's alone. */
  readonly shared: boolean
  /** What an operator should know of the server behind it, a line each, for the log at start. */
  readonly notes: readonly string[]
  /**
   * Takes tokens out of a bucket, if it has as many. In one round trip, by the server's clock.
   * @param key whose bucket
   * @param cost tokens wanted, above 0 and at most `burst`. Default 1
   */
  take(key: string, limit: BucketLimit, cost?: number): Promise<Taken>
  /**
   * Becomes the holder of what nobody else holds; undefined when somebody does. Who holds it already gets the same lease for longer: an answer may
   * have been lost.
   * @param ttlMs how long it holds unless renewed, milliseconds, above 0
   */
  acquire(name: string, holder: string, ttlMs: number): Promise<Lease | undefined>
  /** Makes a lease hold for another `ttlMs`; false when it is over, and what is done under it must stop. */
  renew(lease: Lease, ttlMs: number): Promise<boolean>
  /** Gives a lease back before its time; one that is over is fine. */
  release(lease: Lease): Promise<void>
  /** A table that processes keep copies of. Same name, same table. */
  table(name: string): SharedTable
  /** Resolves when the cache answers before `signal` fires; for health. */
  check(signal: AbortSignal): Promise<void>
  /** Refuses what comes (`closed`). May be called twice. */
  close(): Promise<void>
}

/** What a cache needs to open. */
export interface CacheOptions {
  /** `memory:`, or a server's URL such as `redis://host:6379`. */
  readonly url: string
  /** Put before each key, so that services sharing a server don't meet. */
  readonly prefix: string
  /** Most buckets, and most leases, kept by an embedded cache; the least recently used goes first. Default 10 000. */
  readonly maxEntries?: number
  /** What an embedded cache tells time by. Default the machine's own. */
  readonly clock?: Clock
  /** Called when a server turns out to be away or to refuse us, again with each try that fails. It is tried until it is back. */
  readonly onAway?: (fault: DriverError) => void
  /** Called when a server that was away, or was not reached yet, does all that is needed. */
  readonly onBack?: () => void
}

/** Opens caches of one kind; open.ts says for which URL schemes. */
export interface CacheDriver {
  /** Throws DriverError `invalid` for a URL that can't be used; asks nobody. */
  checkUrl(url: string): void
  /** Rejects with DriverError `invalid` for a wrong URL or bound, and for a server that refuses us; one that is away is waited for by what was opened. */
  open(options: CacheOptions): Promise<Cache>
}
