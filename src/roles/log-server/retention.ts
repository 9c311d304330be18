import { type Kysely, sql, type Transaction } from 'kysely'
import type { Clock } from '../../drivers/clock.ts'
import type { Store } from '../../drivers/store/contract.ts'
import { pause } from '../../kit/pause.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import { countEntries } from './entry-count.ts'
import type { EntryStorage } from './entry-storage.ts'
import type { LogTables } from './tables.ts'
import type { Upkeep } from './upkeep.ts'

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
  readonly upkeep: Upkeep
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
  readonly #upkeep: Upkeep
  readonly #clock: Pick<Clock, 'now'>
  readonly #log: Pick<Log, 'warning'>
  readonly #limits: RetentionLimits
  readonly #intervalMs: number
  readonly #restMs: number

  constructor({ store, entries, upkeep, clock, log, limits, intervalMs = 60_000, restMs = 20 }: RetentionOptions) {
    this.#store = store
    this.#entries = entries
    this.#upkeep = upkeep
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
    await this.#entries.prepare()
    if (!(await this.#upkeep.begin())) return
    const { keepMs, maxEntries, maxSpans } = this.#limits
    const endedBefore = this.#clock.now() - keepMs
    await this.#delete(signal, Number.POSITIVE_INFINITY, (trx) => this.#entries.deleteExpired(trx, keepMs))
    await this.#delete(signal, Number.POSITIVE_INFINITY, (trx) => deleteTraces(trx, endedBefore))

    const { longReads } = this.#store
    const entries = (await countEntries(longReads, signal)) - maxEntries
    await this.#delete(signal, entries, (trx, left) => this.#entries.deleteOldest(trx, left))
    const spans = (await countSpans(longReads)) - maxSpans
    await this.#delete(signal, spans, (trx) => deleteTraces(trx))
  }

  /** Takes steps, with a rest between them, until so many are deleted or one finds nothing more. @param step says how many it deleted */
  async #delete(
    signal: AbortSignal,
    most: number,
    step: (trx: Transaction<LogTables>, left: number) => Promise<number>,
  ): Promise<void> {
    for (let left = most; left > 0 && !signal.aborted; ) {
      const deleted = await this.#upkeep.step((trx) => step(trx, left))
      if (!deleted) return
      left -= deleted
      await pause(this.#restMs, signal)
    }
  }
}

/**
 * Deletes the oldest traces that ended before a time, with their spans, as far as one step goes. Returns how many spans that were, or 0 when there is no
 * such trace.
 */
async function deleteTraces(trx: Transaction<LogTables>, endedBefore = Number.MAX_SAFE_INTEGER): Promise<number> {
  const traces = await trx
    .selectFrom('traces')
    .select('trace_id')
    .where('ended_at', '<', endedBefore)
    .orderBy('started_at')
    .limit(STEP_TRACES)
    .execute()
  if (traces.length === 0) return 0
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
  return Math.max(1, Number(spans.numDeletedRows))
}

async function countSpans(db: Kysely<LogTables>): Promise<number> {
  const row = await db
    .selectFrom('spans')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(row.count)
}
