import { type RawBuilder, sql, type Transaction } from 'kysely'
import type { Store } from '../../drivers/store/contract.ts'
import { pause } from '../../kit/pause.ts'
import type { ArrivalListener, Arrivals } from './arrivals.ts'
import type { EntryRow } from './entry-row.ts'
import { readRows } from './postgres-rows.ts'
import type { LogTables } from './tables.ts'

/** Milliseconds between two looks for what came at other log servers, while somebody follows; and without a reader, until nobody looks any more. */
const LOOK_MS = 250
const LINGER_MS = 10_000
/** Milliseconds for which it is known what came when. */
const KEPT_MS = 600_000
/** Entries, and batches of them, read at a time. */
const PAGE = 500
const BATCHES = 20

interface Batch {
  /** The first one's position. */
  readonly first: number
  readonly ids: readonly number[]
}

/** Stands where an entry came that was deleted since: nobody asks for its level. */
const GONE: EntryRow = {
  id: 0,
  at: 0,
  level: -1,
  service: '',
  instance: '',
  message: '',
  trace_id: null,
  span_id: null,
  metadata: null,
  details: null,
}

/**
 * The arrivals at all log servers of one PostgreSQL. Each takes positions from the same counter as the last thing of its transaction, so that commits follow
 * one another in the order of positions: once one is seen, all before it can be. While somebody follows here, this log server looks for what came at the others.
 */
export class SharedArrivals implements Arrivals {
  readonly run: string
  readonly #store: Store<LogTables>
  readonly #closing = new AbortController()
  #listener: ArrivalListener | undefined
  #beginning: Promise<void> | undefined
  /** Set while somebody follows, and for a while after. */
  #watching: Promise<void> | undefined
  #idleMs = 0
  #looking: Promise<void> | undefined
  #lookAgain = false

  private constructor(store: Store<LogTables>, run: string) {
    this.#store = store
    this.run = run
  }

  /** Opens them. Rejects with DriverError. */
  static async open(store: Store<LogTables>): Promise<SharedArrivals> {
    const { rows } = await sql<{ run: string }>`select run from log_place`.execute(store.db)
    return new SharedArrivals(store, rows[0]?.run ?? '')
  }

  /** Takes positions for entries; others wait for theirs until the transaction is over. Returns the first. */
  async take(trx: Transaction<LogTables>, ids: readonly number[]): Promise<number> {
    const { rows } = await sql<{ first: number }>`
      with place as (update log_place set next = next + ${ids.length} returning next - ${ids.length} as first)
      insert into log_arrivals (first, ids) select first, ${JSON.stringify(ids)} from place
      returning first`.execute(trx)
    return rows[0]?.first ?? 0
  }

  /** Hears of entries of this log server that are on disk now. */
  came(rows: readonly EntryRow[], position: number): void {
    const listener = this.#listener
    if (!listener || !this.#watching) return
    if (position === listener.end) listener.publish(rows)
    // those of others came between
    else if (position > listener.end) void this.#look(listener)
  }

  tell(listener: ArrivalListener): void {
    this.#listener = listener
  }

  async open(): Promise<void> {
    this.#idleMs = 0
    const listener = this.#listener
    if (!listener || this.#watching) return
    this.#beginning ??= this.#begin(listener).finally(() => {
      this.#beginning = undefined
    })
    await this.#beginning
  }

  async at(position: number): Promise<readonly EntryRow[] | undefined> {
    const [batch] = await this.#batches(sql`first <= ${position} order by first desc limit 1`)
    const at = position - (batch?.first ?? 0)
    if (batch === undefined || at >= batch.ids.length) return undefined
    return this.#rowsOf(batch.ids.slice(at, at + PAGE))
  }

  /** Forgets what came too long ago for anybody to come back for. */
  async forgetOld(): Promise<void> {
    const old = sql`delete from log_arrivals where came_at < now() - ${KEPT_MS} * interval '1 millisecond'`
    await this.#store.transaction((trx) => old.execute(trx), { isolation: 'committed' })
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#watching
    await this.#looking
  }

  async #begin(listener: ArrivalListener): Promise<void> {
    const { rows } = await sql<{ next: number }>`select next from log_place`.execute(this.#store.db)
    listener.skipTo(rows[0]?.next ?? 0)
    this.#watching = this.#watch(listener)
  }

  /** Looks again and again, as long as somebody follows. */
  async #watch(listener: ArrivalListener): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted && this.#idleMs < LINGER_MS) {
      await pause(LOOK_MS, signal)
      this.#idleMs = listener.readers > 0 ? 0 : this.#idleMs + LOOK_MS
      await this.#look(listener)
    }
    this.#watching = undefined
  }

  #look(listener: ArrivalListener): Promise<void> {
    this.#lookAgain = true
    this.#looking ??= this.#lookOn(listener).finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #lookOn(listener: ArrivalListener): Promise<void> {
    while (this.#lookAgain && !this.#closing.signal.aborted) {
      this.#lookAgain = false
      try {
        this.#lookAgain ||= await this.#passOn(listener)
      } catch {
        // it is looked for again soon, and whoever stores something says what is wrong
      }
    }
  }

  /** Tells of what came since. Returns whether there may be more. */
  async #passOn(listener: ArrivalListener): Promise<boolean> {
    const batches = await this.#batches(sql`first >= ${listener.end} order by first limit ${BATCHES}`)
    for (const { first, ids } of batches) {
      const rows = await this.#rowsOf(ids)
      // what came here may have been told of meanwhile
      if (first < listener.end) continue
      if (first > listener.end) listener.skipTo(first)
      listener.publish(rows)
    }
    return batches.length === BATCHES
  }

  async #batches(which: RawBuilder<unknown>): Promise<readonly Batch[]> {
    const { rows } = await sql<{ first: number; ids: string }>`
      select first, ids from log_arrivals where ${which}`.execute(this.#store.db)
    return rows.map(({ first, ids }) => ({ first, ids: JSON.parse(ids) }))
  }

  /** The entries with these ids, in their order. */
  async #rowsOf(ids: readonly number[]): Promise<readonly EntryRow[]> {
    const rows = await readRows(this.#store.db, ids)
    const byId = new Map(rows.map((row) => [row.id, row]))
    return ids.map((id) => byId.get(id) ?? GONE)
  }
}
