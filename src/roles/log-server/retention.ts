import { sql } from 'kysely'
import type { Clock } from '../../drivers/clock.ts'
import type { Store } from '../../drivers/store/contract.ts'
import { pause } from '../../kit/pause.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import { firstIdAt } from './entry-ids.ts'
import type { EntryStorage } from './entry-storage.ts'
import type { LogTables } from './tables.ts'

/** How much is kept, and how long. */
export interface RetentionLimits {
  /** Milliseconds entries and traces are kept. */
  readonly keepMs: number
  readonly maxEntries: number
  readonly maxSpans: number
}

/** What is swept, and at which pace. */
export interface RetentionOptions {
  readonly store: Store<LogTables>
  readonly entries: EntryStorage
  readonly clock: Pick<Clock, 'now'>
  readonly log: Pick<Log, 'warning'>
  readonly limits: RetentionLimits
  /** Milliseconds between two sweeps. Default a minute. */
  readonly intervalMs?: number
  /** Milliseconds of rest after each step, so that deleting leaves room for storing. Default 20. */
  readonly restMs?: number
}

/** Rows deleted in one transaction: some milliseconds' work. */
const STEP_ROWS = 500
const STEP_TRACES = 50

/** Deletes what is too old, or the oldest of what is too much, in small steps behind everybody's back. */
export class Retention {
  readonly #store: Store<LogTables>
  readonly #entries: EntryStorage
  readonly #clock: Pick<Clock, 'now'>
  readonly #log: Pick<Log, 'warning'>
  readonly #limits: RetentionLimits
  readonly #intervalMs: number
  readonly #restMs: number

  constructor({ store, entries, clock, log, limits, intervalMs = 60_000, restMs = 20 }: RetentionOptions) {
    this.#store = store
    this.#entries = entries
    this.#clock = clock
    this.#log = log
    this.#limits = limits
    this.#intervalMs = intervalMs
    this.#restMs = restMs
  }

  /** Sweeps again and again until `signal` fires; resolves when the last step is done. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.sweep(signal)
      } catch (cause) {
        if (!signal.aborted) this.#log.warning('old entries could not be deleted; trying again later', { cause })
      }
      await pause(this.#intervalMs, signal)
    }
  }

  /** Deletes once all there is to delete, or until `signal` fires. Rejects with DriverError. */
  async sweep(signal: AbortSignal): Promise<void> {
    const { keepMs, maxEntries, maxSpans } = this.#limits
    const oldest = this.#clock.now() - keepMs
    await this.#repeat(signal, async () => (await this.#entries.deleteOldest(STEP_ROWS, firstIdAt(oldest))) > 0)
    await this.#repeat(signal, async () => (await this.#deleteTraces(oldest)) !== undefined)

    let entries = (await this.#entries.count(signal)) - maxEntries
    await this.#repeat(signal, async () => {
      if (entries > 0) {
        entries -= await this.#entries.deleteOldest(Math.min(entries, STEP_ROWS), Number.MAX_SAFE_INTEGER)
      }
      return entries > 0
    })
    let spans = (await this.#countSpans()) - maxSpans
    await this.#repeat(signal, async () => {
      if (spans > 0) spans -= (await this.#deleteTraces()) ?? spans
      return spans > 0
    })
  }

  /** Takes steps, with a rest between them, until one says that there is nothing more to do. */
  async #repeat(signal: AbortSignal, step: () => Promise<boolean>): Promise<void> {
    while (!signal.aborted && (await step())) await pause(this.#restMs, signal)
  }

  /** Deletes the oldest traces that ended before a time, with their spans, as far as one step goes. Returns how many spans that were. */
  #deleteTraces(endedBefore = Number.MAX_SAFE_INTEGER): Promise<number | undefined> {
    return this.#store.transaction(async (trx) => {
      const traces = await trx
        .selectFrom('traces')
        .select('trace_id')
        .where('ended_at', '<', endedBefore)
        .orderBy('started_at')
        .limit(STEP_TRACES)
        .execute()
      if (traces.length === 0) return undefined
      const ids = traces.map((trace) => trace.trace_id)
      const some = trx.selectFrom('spans').select(['trace_id', 'span_id']).where('trace_id', 'in', ids).limit(STEP_ROWS)
      const spans = await trx
        .deleteFrom('spans')
        .where(sql<boolean>`(trace_id, span_id) in ${some}`)
        .executeTakeFirstOrThrow()
      // a trace of many spans takes several steps, and stays findable until the last
      await trx
        .deleteFrom('traces')
        .where('trace_id', 'in', ids)
        .where(({ not, exists, selectFrom }) =>
          not(exists(selectFrom('spans').select('span_id').whereRef('spans.trace_id', '=', 'traces.trace_id'))),
        )
        .execute()
      return Number(spans.numDeletedRows)
    })
  }

  async #countSpans(): Promise<number> {
    const row = await this.#store.longReads
      .selectFrom('spans')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow()
    return Number(row.count)
  }
}
