import type { Clock } from '../clock.ts'

/**
 * Values kept for a while and lost without harm. Every driver passes test/drivers/cache-suite.ts.
 * Values are JSON. Methods reject with DriverError: `unavailable`, `closed`; `invalid` for a value that isn't JSON or a wrong time to live.
 */
export interface Cache {
  /** The value, or undefined when it was never set, has expired or was evicted. */
  get<T>(key: string): Promise<T | undefined>
  /** Keeps a value for `ttlMs` milliseconds, a number above 0. */
  set(key: string, value: unknown, ttlMs: number): Promise<void>
  /** Forgets a value; a key that isn't there is fine. */
  delete(key: string): Promise<void>
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
  /** Most entries kept by an embedded cache; the least recently used goes first. Default 10 000. */
  readonly maxEntries?: number
  /** What an embedded cache tells time by. Default the machine's own. */
  readonly clock?: Clock
}

/** Opens caches of one URL scheme. */
export interface CacheDriver {
  /** With its colon, lower case: `memory:`. */
  readonly scheme: string
  /** Rejects with DriverError: `invalid` for a wrong URL or bound, `unavailable`. */
  open(options: CacheOptions): Promise<Cache>
}
