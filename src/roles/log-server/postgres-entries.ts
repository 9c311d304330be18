import { sql, type Transaction } from 'kysely'
import type { Clock } from '../../drivers/clock.ts'
import type { Store, TransactionOptions } from '../../drivers/store/contract.ts'
import { DAY_MS, dayOf, firstIdAt, firstIdOf } from './entry-ids.ts'
import type { EntryRow } from './entry-row.ts'
import type { EntryFilter, EntryStorage } from './entry-storage.ts'
import type { Found } from './found.ts'
import { EntryDays } from './postgres-entry-days.ts'
import { PostgresEntryList } from './postgres-entry-list.ts'
import { insertRows, readRows } from './postgres-rows.ts'
import type { SearchQuery } from './search-query.ts'
import { SharedArrivals } from './shared-arrivals.ts'
import type { LogTables } from './tables.ts'

/** Rows deleted in one transaction: some milliseconds' work. */
const STEP_ROWS = 500
/** Entries kept for less than that go one by one; else they go by the day, and so up to a day later. */
const WHOLE_DAYS_MS = 2 * DAY_MS
/** Other log servers store at the same time. */
const TOGETHER: TransactionOptions = { isolation: 'committed' }

/** The entries in PostgreSQL, for any number of log servers: a partition a day, each with a GIN index over the words. */
export class PostgresEntries implements EntryStorage {
  readonly arrivals: SharedArrivals
  readonly idSlots = 4
  readonly #store: Store<LogTables>
  readonly #clock: Pick<Clock, 'now'>
  readonly #days: EntryDays

  private constructor(store: Store<LogTables>, clock: Pick<Clock, 'now'>, arrivals: SharedArrivals) {
    this.#store = store
    this.#clock = clock
    this.#days = new EntryDays(store, clock)
    this.arrivals = arrivals
  }

  /** Opens them. Rejects with DriverError. */
  static async open(store: Store<LogTables>, clock: Pick<Clock, 'now'>): Promise<PostgresEntries> {
    return new PostgresEntries(store, clock, await SharedArrivals.open(store))
  }

  async insert(rows: readonly EntryRow[]): Promise<void> {
    const ids = rows.map(({ id }) => id)
    await this.#days.makeFor(ids)
    const position = await this.#store.transaction(async (trx) => {
      await insertRows(trx, rows)
      // last, since it makes the others wait until this is committed
      return this.arrivals.take(trx, ids)
    }, TOGETHER)
    this.arrivals.came(rows, position)
  }

  list(filter: EntryFilter, phrases: SearchQuery | undefined, lowest: number): PostgresEntryList {
    return new PostgresEntryList(this.#store.longReads, filter, phrases, lowest)
  }

  async rowsOf(found: readonly Found[]): Promise<readonly EntryRow[]> {
    return readRows(
      this.#store.longReads,
      found.map(([id]) => id),
    )
  }

  async prepare(): Promise<void> {
    await this.#days.makeAhead()
    await this.arrivals.forgetOld()
  }

  async deleteExpired(trx: Transaction<LogTables>, keepMs: number): Promise<number> {
    const oldest = this.#clock.now() - keepMs
    const below = keepMs < WHOLE_DAYS_MS ? firstIdAt(oldest) : firstIdOf(dayOf(firstIdAt(oldest)))
    const [day] = await this.#days.list(trx)
    if (day === undefined || firstIdOf(day + 1) > below) return deleteRows(trx, STEP_ROWS, below)
    await this.#days.drop(trx, day)
    return 1
  }

  async deleteOldest(trx: Transaction<LogTables>, most: number): Promise<number> {
    const [day] = await this.#days.list(trx)
    const some = Math.min(most, STEP_ROWS)
    if (day === undefined || firstIdOf(day + 1) > firstIdAt(this.#clock.now())) return deleteRows(trx, some)
    const older = await deleteRows(trx, some, firstIdOf(day))
    if (older > 0) return older
    const entries = await countUpTo(trx, firstIdOf(day + 1), most + 1)
    if (entries === 0 || entries > most) return deleteRows(trx, some)
    await this.#days.drop(trx, day)
    return entries
  }
}

/** Deletes the oldest entries below an id, at most so many. Returns how many. */
async function deleteRows(trx: Transaction<LogTables>, most: number, below = Number.MAX_SAFE_INTEGER): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from log_entries where id <= (
      select max(id) from (select id from log_entries where id < ${below} order by id limit ${most}) as oldest
    )`.execute(trx)
  return Number(numAffectedRows ?? 0)
}

/** How many entries lie below an id, counted up to so many. */
async function countUpTo(trx: Transaction<LogTables>, below: number, most: number): Promise<number> {
  const { rows } = await sql<{ entries: number }>`
    select count(*) as entries from (select 1 from log_entries where id < ${below} limit ${most}) as hits`.execute(trx)
  return rows[0]?.entries ?? 0
}
