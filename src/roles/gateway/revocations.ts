import type { Row, SharedTable } from '../../drivers/cache/table.ts'
import type { Clock } from '../../drivers/clock.ts'
import { Outage } from '../../kit/discovery/outage.ts'
import { AppError } from '../../kit/errors.ts'
import { pause } from '../../kit/pause.ts'
import type { Log } from '../../kit/telemetry/log.ts'

/** How often a gateway looks what others revoked, milliseconds. */
const LOOK_MS = 500
/** How often what has ended by itself is forgotten, milliseconds. */
const SWEEP_MS = 60_000
/** Most tokens that are kept revoked at a time. */
const MOST_REVOKED = 100_000

interface Revoked {
  /** When the token would have ended anyway, wall-clock milliseconds. */
  readonly until: number
  readonly fence: number
}

/** What a list of revoked tokens is made of. */
export interface RevocationsOptions {
  readonly table: SharedTable
  readonly clock: Clock
  readonly log: Log
}

/**
 * The tokens that count no more though they have not ended, by their `jti`: the same at all gateways that share a cache, and kept here, so that no
 * request has to ask. What one gateway was told the others know half a second later; while the cache is away what was known holds.
 */
export class Revocations {
  readonly #options: RevocationsOptions
  readonly #outage: Outage
  readonly #revoked = new Map<string, Revoked>()
  readonly #stop = new AbortController()
  #cursor = ''
  #sweptAt: number
  #running: Promise<void> | undefined

  constructor(options: RevocationsOptions) {
    this.#options = options
    this.#outage = new Outage('the list of revoked tokens', options.log, options.clock)
    this.#sweptAt = options.clock.monotonic()
  }

  /** Begins to look; resolves after the first look. */
  async open(): Promise<void> {
    await this.#look()
    this.#running = this.#run()
  }

  /** Ends the looking. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  /** Whether a token was revoked. */
  has(id: string): boolean {
    return this.#revoked.has(id)
  }

  /**
   * Revokes a token until it would have ended; resolves when all gateways can know.
   * Throws AppError `UNAVAILABLE` when the list is full, and DriverError when the cache is away: it holds at this gateway then.
   */
  async revoke(id: string, until: number): Promise<void> {
    if (this.#revoked.size >= MOST_REVOKED && !this.#revoked.has(id)) {
      throw new AppError('UNAVAILABLE', `${MOST_REVOKED} tokens are revoked already`)
    }
    this.#revoked.set(id, { until, fence: 0 })
    const [written] = await this.#options.table.write([{ do: 'put', key: id, value: String(until) }])
    this.#revoked.set(id, { until, fence: written?.fence ?? 0 })
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      await pause(LOOK_MS, signal)
      if (!signal.aborted) await this.#look()
    }
  }

  async #look(): Promise<void> {
    const { table } = this.#options
    try {
      let isLast = false
      while (!isLast) {
        const look = await table.changes(this.#cursor)
        for (const row of look.rows) this.#take(row)
        this.#cursor = look.cursor
        isLast = !look.more
        // what the table has lost, and what could not be told, is told again
        if (isLast && look.afresh) await this.#tellAgain()
      }
      await this.#sweep()
      this.#outage.over()
    } catch (fault) {
      this.#outage.failed(fault, 'what other gateways revoke is not known here')
    }
  }

  #take({ key, fence, is, value }: Row): void {
    if (is === 'removed') this.#revoked.delete(key)
    else if (is === 'put') this.#revoked.set(key, { until: Number(value), fence })
  }

  async #tellAgain(): Promise<void> {
    const writes = [...this.#revoked].map(([key, { until }]) => ({ do: 'put', key, value: String(until) }) as const)
    for (let at = 0; at < writes.length; at += 200) await this.#options.table.write(writes.slice(at, at + 200))
  }

  /** Forgets what has ended by itself. */
  async #sweep(): Promise<void> {
    const { clock, table } = this.#options
    const now = clock.monotonic()
    if (now - this.#sweptAt < SWEEP_MS) return
    this.#sweptAt = now
    const ended = [...this.#revoked].filter(([, { until }]) => until < clock.now()).slice(0, 200)
    for (const [id] of ended) this.#revoked.delete(id)
    if (ended.length > 0) {
      await table.write(ended.map(([key, { fence }]) => ({ do: 'remove', key, fence, value: 'ended' }) as const))
    }
  }
}
