import type { Row, SharedTable } from '../../drivers/cache/table.ts'
import type { Clock } from '../../drivers/clock.ts'
import type { TokenReference } from '../../kit/auth/authority.ts'
import type { RevocationFiles } from '../../kit/auth/revocation-files.ts'
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
/** Most rows that are written at once. */
const MOST_WRITES = 200
/** Longer than any token may live, milliseconds: what says more of one is wrong. */
const LONGEST_MS = 2 * 86_400_000

interface Revoked {
  /** When the token would have ended anyway, wall-clock milliseconds. */
  readonly until: number
  /** Of its row; 0 for one that has none yet. */
  readonly fence: number
}

const KEPT_NOWHERE = 'what is revoked is forgotten once no gateway is left that knows it'

/** What a list of revoked tokens is made of. */
export interface RevocationsOptions {
  /** Where they outlive the gateway; shared by those on its data folder. */
  readonly files: Pick<RevocationFiles, 'news' | 'add' | 'sweep'>
  /** Where gateways that share a cache tell each other. */
  readonly table: SharedTable
  readonly clock: Clock
  readonly log: Log
}

/**
 * The tokens that count no more though they have not ended, by their `jti`: the same at all gateways that share a cache or a data folder, and kept
 * here, so that no request has to ask. What one gateway was told the others know half a second later; while the cache is away what was known holds, and
 * what could not be told or put on disk is tried again at every look. Who begins anew, on another cache too, knows what is on disk and tells it.
 */
export class Revocations {
  readonly #options: RevocationsOptions
  readonly #outages: { readonly table: Outage; readonly reading: Outage; readonly writing: Outage }
  readonly #revoked = new Map<string, Revoked>()
  /** What the table doesn't know yet, as far as is known here: a part of what is revoked. */
  readonly #untold = new Set<string>()
  /** What is not on disk yet. */
  readonly #unkept = new Map<string, TokenReference>()
  readonly #stop = new AbortController()
  #keeping: Promise<void> = Promise.resolve()
  #keepingNext: Promise<void> | undefined
  #cursor = ''
  /** Counts how often the table began anew: what was written before may be lost. */
  #beginnings = 0
  #sweptAt: number
  #running: Promise<void> | undefined

  constructor(options: RevocationsOptions) {
    const { log, clock } = options
    this.#options = options
    this.#outages = {
      table: new Outage('the list of revoked tokens', log, clock),
      reading: new Outage('the list of revoked tokens in the data folder', log, clock),
      writing: new Outage('the place for revoked tokens in the data folder', log, clock),
    }
    this.#sweptAt = clock.monotonic()
  }

  /** Begins to look; resolves after the first look. Rejects when what is on disk can't be read: nobody may be let in who was shut out. */
  async open(): Promise<void> {
    await this.#hear()
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
   * Revokes a token until it would have ended; resolves when it is on disk and all gateways can know.
   * Throws AppError `UNAVAILABLE` when the list or the disk is full, and DriverError when the cache is away: it holds at this gateway then, and the others
   * are told when they can be.
   */
  async revoke(id: string, until: number): Promise<void> {
    if (!this.#revoked.has(id)) {
      if (this.#revoked.size >= MOST_REVOKED) {
        throw new AppError('UNAVAILABLE', `${MOST_REVOKED} tokens are revoked already`)
      }
      this.#revoked.set(id, { until, fence: 0 })
      this.#untold.add(id)
      this.#unkept.set(id, { id, until })
    }
    const untold = this.#untold.has(id) ? [id] : []
    await Promise.all([this.#keep(), this.#tell(untold)])
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      await pause(LOOK_MS, signal)
      if (signal.aborted) return
      await attempt(
        () => this.#hear(),
        this.#outages.reading,
        'what others on this data folder revoke is not known here',
      )
      await this.#look()
    }
  }

  /** Takes in what others on the data folder revoked. */
  async #hear(): Promise<void> {
    const { files, clock } = this.#options
    for (const { id, until } of await files.news()) {
      this.#unkept.delete(id)
      if (this.#revoked.has(id) || until < clock.now()) continue
      this.#revoked.set(id, { until, fence: 0 })
      this.#untold.add(id)
    }
  }

  async #look(): Promise<void> {
    const exchange = async () => {
      await this.#hearAll()
      await this.#tell([...this.#untold])
      await this.#sweep()
    }
    await attempt(exchange, this.#outages.table, 'what other gateways revoke is not known here')
    await this.#keepAll()
  }

  /** Takes in what others who share the cache revoked, page by page. */
  async #hearAll(): Promise<void> {
    for (let isLast = false; !isLast; ) {
      const { rows, cursor, more, afresh } = await this.#options.table.changes(this.#cursor)
      if (afresh) this.#beginAnew()
      const news = rows.flatMap((row) => this.#read(row))
      const now = this.#options.clock.now()
      const strangers = news.filter(({ id, until }) => until >= now && !this.#revoked.has(id))
      for (const { id, until } of strangers) this.#unkept.set(id, { id, until })
      // who begins anew after this has heeded a token finds it on disk
      await this.#keepAll()
      for (const { id, until, fence } of news) {
        this.#revoked.set(id, { until, fence })
        this.#untold.delete(id)
      }
      for (const { key, is } of rows) if (is === 'removed') this.#takeRemoved(key)
      this.#cursor = cursor
      isLast = !more
    }
  }

  /** All that the table doesn't show from here on is told it again. */
  #beginAnew(): void {
    this.#beginnings++
    for (const id of this.#revoked.keys()) this.#untold.add(id)
  }

  #read({ key: id, fence, is, value }: Row): readonly (TokenReference & Revoked)[] {
    const until = Math.min(Number(value), this.#options.clock.now() + LONGEST_MS)
    return is === 'put' && until > 0 ? [{ id, until, fence }] : []
  }

  /** Another gateway's clock may be ahead: what has not ended by this one's goes on, and is told again. */
  #takeRemoved(id: string): void {
    const { until } = this.#revoked.get(id) ?? {}
    if (until === undefined) return
    if (until < this.#options.clock.now()) this.#forget(id)
    else this.#untold.add(id)
  }

  async #tell(ids: readonly string[]): Promise<void> {
    for (let at = 0; at < ids.length; at += MOST_WRITES) {
      const told = ids.slice(at, at + MOST_WRITES).flatMap((id) => {
        const known = this.#revoked.get(id)
        return known ? [{ id, until: known.until }] : []
      })
      const beginnings = this.#beginnings
      const written = await this.#options.table.write(
        told.map(({ id, until }) => ({ do: 'put', key: id, value: String(until) }) as const),
      )
      for (const [index, { id, until }] of told.entries()) {
        if (!this.#revoked.has(id)) continue
        this.#revoked.set(id, { until, fence: written[index]?.fence ?? 0 })
        if (beginnings === this.#beginnings) this.#untold.delete(id)
      }
    }
  }

  /** Puts on disk what isn't there: all who ask while that is under way share the next time, and its flush. */
  #keep(): Promise<void> {
    this.#keepingNext ??= this.#keeping.then(() => {
      this.#keepingNext = undefined
      const keeping = this.#keepNow()
      this.#keeping = keeping.catch(() => {})
      return keeping
    })
    return this.#keepingNext
  }

  async #keepNow(): Promise<void> {
    const revoked = [...this.#unkept.values()]
    if (revoked.length > 0) await this.#options.files.add(revoked)
    for (const { id } of revoked) this.#unkept.delete(id)
  }

  async #keepAll(): Promise<void> {
    if (this.#unkept.size > 0) await attempt(() => this.#keep(), this.#outages.writing, KEPT_NOWHERE)
  }

  /** Forgets what has ended by itself: of the table, of the disk and here. */
  async #sweep(): Promise<void> {
    const { clock, table, files } = this.#options
    if (clock.monotonic() - this.#sweptAt < SWEEP_MS) return
    this.#sweptAt = clock.monotonic()
    const now = clock.now()
    await attempt(() => files.sweep(now), this.#outages.writing, 'what has ended is not taken away')
    const ended = [...this.#revoked].filter(([, { until }]) => until < now)
    for (let at = 0; at < ended.length; at += MOST_WRITES) {
      const part = ended.slice(at, at + MOST_WRITES)
      const rows = part.filter(([, { fence }]) => fence > 0)
      await table.write(rows.map(([key, { fence }]) => ({ do: 'remove', key, fence, value: 'ended' }) as const))
      for (const [id] of part) this.#forget(id)
    }
  }

  #forget(id: string): void {
    this.#revoked.delete(id)
    this.#untold.delete(id)
    this.#unkept.delete(id)
  }
}

/** Does what is tried again anyway. @param consequence of its failure, for the log */
async function attempt(work: () => Promise<void>, outage: Outage, consequence: string): Promise<void> {
  try {
    await work()
    outage.over()
  } catch (fault) {
    outage.failed(fault, consequence)
  }
}
