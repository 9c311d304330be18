import type { Clock } from '../clock.ts'

/**
 * Values kept for a while and lost without harm. Every driver passes test/drivers/cache-suite.ts.
 * Values are JSON. Methods reject with DriverError (`unavailable`, `closed`).
 */
export interface Cache {
  /** The value, or undefined when it was never set, has expired or was evicted. */
  get<T>(key: string): Promise<T | undefined>
  /** Keeps a value for `ttlMs` milliseconds. */
  set(key: string, value: unknown, ttlMs: number): Promise<void>
  delete(key: string): Promise<void>
  check(signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

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

export interface CacheDriver {
  readonly scheme: string
  open(options: CacheOptions): Promise<Cache>
}
