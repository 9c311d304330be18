import { sql, type Transaction } from 'kysely'
import type { Clock } from '../../drivers/clock.ts'
import type { Store, TransactionOptions } from '../../drivers/store/contract.ts'
import { DAY_MS, dayOf, firstIdOf } from './entry-ids.ts'
import type { LogTables } from './tables.ts'

/** Days back for which there may be a partition each, so that nobody can make any number of them. */
const DAYS_BACK = 31
/** Milliseconds to wait for who reads; those who come meanwhile wait behind, so it is tried again later instead. */
const LOCK_MS = 500
/** What others have just made is seen. */
const TOGETHER: TransactionOptions = { isolation: 'committed' }
const PARTITION = /^log_entries_(\d{4})(\d\d)(\d\d)$/

/**
 * The days whose entries have a partition of their own, which is dropped as a whole. They are made a day ahead, and for the last month on demand; what comes
 * of other days goes into the rest.
 */
export class EntryDays {
  readonly #store: Store<LogTables>
  readonly #clock: Pick<Clock, 'now'>
  readonly #made = new Set<number>()

  constructor(store: Store<LogTables>, clock: Pick<Clock, 'now'>) {
    this.#store = store
    this.#clock = clock
  }

  /** Makes the partitions of today and tomorrow. */
  makeAhead(): Promise<void> {
    const today = this.#today
    return this.#make([today, today + 1])
  }

  /** Makes those that entries with these ids need. */
  async makeFor(ids: readonly number[]): Promise<void> {
    const today = this.#today
    const lacking = new Set<number>()
    for (const id of ids) {
      const day = dayOf(id)
      if (!this.#made.has(day) && day >= today - DAYS_BACK) lacking.add(day)
    }
    if (lacking.size > 0) await this.#make([...lacking])
  }

  /** The days that have one, oldest first. */
  async list(trx: Transaction<LogTables>): Promise<readonly number[]> {
    const { rows } = await sql<{ name: string }>`
      select relname as name from pg_inherits join pg_class on pg_class.oid = inhrelid
      where inhparent = 'log_entries'::regclass order by relname`.execute(trx)
    return rows.flatMap(({ name }) => {
      const [, year, month, day] = PARTITION.exec(name) ?? []
      return year === undefined ? [] : [Date.parse(`${year}-${month}-${day}`) / DAY_MS]
    })
  }

  /** Takes a day's entries away. */
  async drop(trx: Transaction<LogTables>, day: number): Promise<void> {
    await limitWait(trx)
    await sql`drop table ${sql.table(partitionOf(day))}`.execute(trx)
  }

  get #today(): number {
    return Math.floor(this.#clock.now() / DAY_MS)
  }

  async #make(days: readonly number[]): Promise<void> {
    const lacking = days.filter((day) => !this.#made.has(day))
    if (lacking.length === 0) return
    await this.#store.transaction(async (trx) => {
      await limitWait(trx)
      // other log servers make the same ones
      await sql`select pg_advisory_xact_lock(hashtextextended('days of ' || current_schema(), 0))`.execute(trx)
      await sql`lock table log_entries_rest in access exclusive mode`.execute(trx)
      const there = new Set(await this.list(trx))
      for (const day of lacking) if (!there.has(day) && !(await isInRest(trx, day))) await create(trx, day)
    }, TOGETHER)
    for (const day of lacking) this.#made.add(day)
  }
}

function limitWait(trx: Transaction<LogTables>): Promise<unknown> {
  return sql`set local lock_timeout = ${sql.lit(LOCK_MS)}`.execute(trx)
}

/** Whether entries of a day came after its partition was dropped: then all that come are kept with those. */
async function isInRest(trx: Transaction<LogTables>, day: number): Promise<boolean> {
  const { rows } = await sql`
    select 1 from log_entries_rest where id >= ${firstIdOf(day)} and id < ${firstIdOf(day + 1)} limit 1`.execute(trx)
  return rows.length > 0
}

/** Makes a table and puts it beside the others: made in its place, it would lock all of them. */
async function create(trx: Transaction<LogTables>, day: number): Promise<void> {
  const partition = sql.table(partitionOf(day))
  const [first, beyond] = [sql.lit(firstIdOf(day)), sql.lit(firstIdOf(day + 1))]
  await sql`create table ${partition} (like log_entries including all)`.execute(trx)
  await sql`alter table log_entries attach partition ${partition} for values from (${first}) to (${beyond})`.execute(
    trx,
  )
}

/** @example partitionOf(20_784) // 'log_entries_20261127' */
function partitionOf(day: number): string {
  const date = new Date(day * DAY_MS).toISOString().slice(0, 10)
  return `log_entries_${date.replaceAll('-', '')}`
}
