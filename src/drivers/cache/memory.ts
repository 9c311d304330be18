import { type Clock, systemClock } from '../clock.ts'
import { DriverError } from '../driver-error.ts'
import type { Cache, CacheDriver, CacheOptions } from './contract.ts'

const DEFAULT_MAX_ENTRIES = 10_000

/** Most characters of JSON kept, keys included (at most twice as many bytes), whatever the number of entries. */
const MAX_CHARACTERS = 16 * 1024 * 1024

interface Entry {
  readonly json: string
  /** On the monotonic clock. */
  readonly expiresAt: number
}

/**
 * The embedded cache: in this process's memory, gone with it. The least recently used entry goes first, when there are
 * `maxEntries` (default 10 000) or 16 Mi characters of JSON. Time is the monotonic clock: a wall clock set back keeps nothing alive.
 *
 * `open` rejects with DriverError `invalid` for a wrong URL or bound.
 */
export const memory: CacheDriver = {
  scheme: 'memory:',
  open: async (options) => new MemoryCache(options),
}

class MemoryCache implements Cache {
  readonly #prefix: string
  readonly #maxEntries: number
  readonly #clock: Clock
  /** In the order of use: the first is the least recently used. */
  readonly #entries = new Map<string, Entry>()
  #characters = 0
  #closed = false

  constructor({ url, prefix, maxEntries = DEFAULT_MAX_ENTRIES, clock = systemClock }: CacheOptions) {
    if (url.toLowerCase() !== 'memory:')
      throw new DriverError('invalid', 'cache: memory: takes nothing behind the colon')
    if (!Number.isInteger(maxEntries) || maxEntries < 1) {
      throw new DriverError('invalid', `cache: maxEntries is ${maxEntries}; want a whole number above 0`)
    }
    this.#prefix = prefix
    this.#maxEntries = maxEntries
    this.#clock = clock
  }

  async get<T>(key: string): Promise<T | undefined> {
    this.#refuseWhenClosed()
    const name = this.#prefix + key
    const entry = this.#entries.get(name)
    if (entry === undefined) return undefined
    this.#drop(name, entry)
    if (entry.expiresAt <= this.#clock.monotonic()) return undefined
    this.#put(name, entry)
    return JSON.parse(entry.json)
  }

  async set(key: string, value: unknown, ttlMs: number): Promise<void> {
    this.#refuseWhenClosed()
    if (!(Number.isFinite(ttlMs) && ttlMs > 0)) {
      throw new DriverError('invalid', `cache: a time to live of ${ttlMs} ms; want a number above 0`)
    }
    const name = this.#prefix + key
    const entry: Entry = { json: toJson(value), expiresAt: this.#clock.monotonic() + ttlMs }
    const old = this.#entries.get(name)
    if (old !== undefined) this.#drop(name, old)
    this.#put(name, entry)
    for (const [oldest, victim] of this.#entries) {
      if (this.#entries.size <= this.#maxEntries && this.#characters <= MAX_CHARACTERS) break
      this.#drop(oldest, victim)
    }
  }

  async delete(key: string): Promise<void> {
    this.#refuseWhenClosed()
    const name = this.#prefix + key
    const entry = this.#entries.get(name)
    if (entry !== undefined) this.#drop(name, entry)
  }

  async check(signal: AbortSignal): Promise<void> {
    this.#refuseWhenClosed()
    if (signal.aborted) throw new DriverError('unavailable', 'cache: no time left to ask it', { cause: signal.reason })
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#entries.clear()
    this.#characters = 0
  }

  #put(name: string, entry: Entry): void {
    this.#entries.set(name, entry)
    this.#characters += name.length + entry.json.length
  }

  #drop(name: string, entry: Entry): void {
    this.#entries.delete(name)
    this.#characters -= name.length + entry.json.length
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw new DriverError('closed', 'cache: it is closed')
  }
}

/** Text, so that nobody shares a value by reference, and a value behaves as it would behind a server. */
function toJson(value: unknown): string {
  let json: string | undefined
  try {
    json = JSON.stringify(value)
  } catch (cause) {
    throw new DriverError('invalid', 'cache: the value is not JSON', { cause })
  }
  if (json === undefined)
    throw new DriverError('invalid', 'cache: undefined and functions are not JSON; delete the key')
  return json
}
