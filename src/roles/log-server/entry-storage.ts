import type { Transaction } from 'kysely'
import type { Arrivals } from './arrivals.ts'
import type { Entry } from './contract.ts'
import type { EntryRow } from './entry-row.ts'
import type { Found } from './found.ts'
import type { SearchQuery } from './search-query.ts'
import type { Stepwise } from './stepped-read.ts'
import type { LogTables } from './tables.ts'

/** Which entries: all that is given must hold. */
export interface EntryFilter {
  readonly service?: string | undefined
  /** At least this one. */
  readonly level?: Entry['level'] | undefined
  readonly trace_id?: string | undefined
  /** What someone typed into a search box. */
  readonly q?: string | undefined
}

/** How one kind of database keeps the entries, with a full-text index of its own. All methods reject with DriverError. */
export interface EntryStorage {
  /** In which order they came, and who is told of them. */
  readonly arrivals: Arrivals
  /** How many log servers may give out ids at the same time without meeting; see EntryIds. */
  readonly idSlots: number
  /** Stores rows, oldest first, all or none, and tells those who follow. Rejects with `conflict` when an id is taken. */
  insert(rows: readonly EntryRow[]): Promise<void>
  /**
   * The entries that fit, newest first, as a list to be read in steps. A cursor is an id: what comes next has a lower one.
   * @param phrases what `filter.q` searches for; undefined when nothing is
   * @param lowest the last id that is looked at
   */
  list(filter: EntryFilter, phrases: SearchQuery | undefined, lowest: number): Stepwise<Found, number>
  /** The entries that were found, in their order; those deleted meanwhile are missing. */
  rowsOf(found: readonly Found[]): Promise<readonly EntryRow[]>
  /** Gets ready for the entries of the coming days. */
  prepare(): Promise<void>
  /** Deletes some of what is older than `keepMs`, as much as one step should. Returns how many entries, or 0 when there are no more. */
  deleteExpired(trx: Transaction<LogTables>, keepMs: number): Promise<number>
  /** Deletes the oldest entries, as many as one step should and at most `most`. Returns how many. */
  deleteOldest(trx: Transaction<LogTables>, most: number): Promise<number>
}
