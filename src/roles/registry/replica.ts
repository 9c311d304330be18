import type { Changes, Row, RowWrite, RowWritten, SharedTable } from '../../drivers/cache/table.ts'
import type { Clock } from '../../drivers/clock.ts'
import { Outage } from '../../kit/discovery/outage.ts'
import { pause } from '../../kit/pause.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import { createWakeUp } from '../../kit/wake-up.ts'

/** How often a registry tells and hears, milliseconds: a change reaches the watchers of all well within a second. */
const EXCHANGE_MS = 250
/** Most rows written at once; the rest follows in the next breath. */
const MOST_WRITES = 200
/** How long after an outage, milliseconds, until everybody has told what he heard meanwhile. */
const SETTLE_MS = 5_000
/** Shortest time between two looks that are asked for, milliseconds: whoever asks for what there isn't must not keep the table busy. */
const SHORTEST_MS = 10

/** What a replica is made of. */
export interface ReplicaOptions {
  readonly table: SharedTable
  readonly clock: Clock
  readonly log: Log
  /**
   * Takes in what others wrote, in the order of their latest changes.
   * @param rows all there are where the look began anew
   * @param look whether it began anew, and whether it was the first at all
   */
  readonly take: (rows: readonly Row[], look: { readonly afresh: boolean; readonly first: boolean }) => void
  /** Told of a row that was to be touched and isn't there, after all news were taken in. */
  readonly missing: (key: string) => void
}

/**
 * Keeps this process in step with a table that others write to as well: what is to be written is gathered by row and goes out four times a second, and
 * what they wrote comes in with it. While the table is away what is to be written waits, one write a row.
 */
export class Replica {
  readonly #options: ReplicaOptions
  readonly #outage: Outage
  readonly #bell = createWakeUp()
  readonly #stop = new AbortController()
  readonly #waiting = new Map<string, RowWrite>()
  /** Revisions of this process's own writes, by row: they are no news when they come back. */
  readonly #own = new Map<string, number>()
  #cursor = ''
  /** Since when the table has answered, monotonic milliseconds; undefined while it is away. */
  #wellSince: number | undefined
  #hasLooked = false
  #lookedAt = Number.NEGATIVE_INFINITY
  #exchanging: Promise<void> | undefined
  #refreshing: Promise<void> | undefined
  #running: Promise<void> | undefined

  constructor(options: ReplicaOptions) {
    this.#options = options
    this.#outage = new Outage('the table that all registries share', options.log, options.clock)
  }

  /** Whether what others hear is heard here: not while the table is away, and a moment beyond. The first look needs no such moment. */
  get isInStep(): boolean {
    return this.#wellSince !== undefined && this.#options.clock.monotonic() - this.#wellSince >= SETTLE_MS
  }

  /** Begins; resolves after the first look. */
  async open(): Promise<void> {
    await this.#exchange()
    this.#running = this.#run()
  }

  /** Writes what waits, and ends. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running
    if (this.#wellSince !== undefined && this.#waiting.size > 0) await this.#exchange()
  }

  /** Has rows written with the next exchange. */
  queue(...writes: readonly (RowWrite | undefined)[]): void {
    for (const write of writes) if (write) this.#wait(write, this.#waiting.get(write.key))
  }

  /** Writes a row at once; undefined when the table is away. */
  async writeNow(write: RowWrite): Promise<RowWritten | undefined> {
    if (this.#wellSince === undefined) return undefined
    this.#waiting.delete(write.key)
    try {
      const [written] = await this.#options.table.write([write])
      if (written) this.#note(write, written)
      return written
    } catch (fault) {
      this.#away(fault)
      return undefined
    }
  }

  /** Looks soon for what was written until now, together with all who ask meanwhile. */
  async refresh(): Promise<void> {
    if (this.#wellSince === undefined) return
    this.#refreshing ??= this.#lookSoon()
    await this.#refreshing
  }

  async #lookSoon(): Promise<void> {
    // one under way may have begun too early
    await this.#exchanging
    await pause(Math.max(0, this.#lookedAt + SHORTEST_MS - this.#options.clock.monotonic()), this.#stop.signal)
    // who asks from here on could come too late for it
    this.#refreshing = undefined
    await this.#exchange()
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      await this.#bell.sleep(EXCHANGE_MS, signal)
      if (!signal.aborted) await this.#exchange()
    }
  }

  #exchange(): Promise<void> {
    this.#exchanging ??= this.#tellAndHear().finally(() => {
      this.#exchanging = undefined
    })
    return this.#exchanging
  }

  async #tellAndHear(): Promise<void> {
    const { table, take, missing, clock } = this.#options
    const telling = [...this.#waiting.values()].slice(0, MOST_WRITES)
    for (const { key } of telling) this.#waiting.delete(key)
    this.#lookedAt = clock.monotonic()
    let written: readonly RowWritten[]
    let news: Changes
    try {
      // the look goes out behind the writes, in the same breath
      ;[written, news] = await Promise.all([table.write(telling), this.#lookAround()])
    } catch (fault) {
      for (const write of telling) this.#wait(this.#waiting.get(write.key) ?? write, write)
      this.#away(fault)
      return
    }
    this.#outage.over()
    const lost = telling.filter((write, at) => this.#note(write, written[at]) === 'unknown')
    const rows = news.rows.filter((row) => this.#isNews(row, news.afresh))
    const first = !this.#hasLooked
    // what is known from before this process began was settled by those who were there
    this.#wellSince ??= first ? clock.monotonic() - SETTLE_MS : clock.monotonic()
    this.#hasLooked = true
    this.#cursor = news.cursor
    take(rows, { afresh: news.afresh, first })
    for (const { key } of lost) missing(key)
    if (this.#waiting.size > 0 && telling.length === MOST_WRITES) this.#bell.ring()
  }

  /** All that changed, page by page. */
  async #lookAround(): Promise<Changes> {
    const { table } = this.#options
    let look = await table.changes(this.#cursor)
    const rows = [...look.rows]
    let { afresh } = look
    while (look.more) {
      look = await table.changes(look.cursor)
      // it was lost between two pages: what was given before is all over
      if (look.afresh) rows.length = 0
      afresh ||= look.afresh
      rows.push(...look.rows)
    }
    return { ...look, rows, afresh }
  }

  #note(write: RowWrite, written: RowWritten | undefined): RowWritten['outcome'] | undefined {
    if (written?.outcome === 'done') this.#own.set(write.key, written.revision)
    return written?.outcome
  }

  #wait(write: RowWrite, before: RowWrite | undefined): void {
    // a row that is written is told anyway
    const isTold = write.do === 'touch' && before?.do === 'put' && before.fence === write.fence
    this.#waiting.set(write.key, isTold ? before : write)
  }

  /** Whether a row was written by another, and nothing that waits here comes after it. What is told anew may be this process's own. */
  #isNews({ key, fence, revision }: Row, afresh: boolean): boolean {
    const own = this.#own.get(key)
    if (own !== undefined && own <= revision) this.#own.delete(key)
    if (own === revision && !afresh) return false
    const waits = this.#waiting.get(key)
    if (!waits) return true
    if ((waits.fence ?? Number.POSITIVE_INFINITY) >= fence) return false
    this.#waiting.delete(key)
    return true
  }

  #away(fault: unknown): void {
    this.#wellSince = undefined
    this.#outage.failed(fault, 'this registry goes by what it hears itself, and lets nobody expire')
  }
}
