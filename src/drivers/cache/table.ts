/**
 * A table of small rows that several processes write to and each keeps a copy of, such as who is alive where. Every row has a fence, which only
 * grows: what is written with an older one is refused, so that a writer which stood still undoes nothing. Revisions put all changes in one order.
 */
export interface SharedTable {
  /**
   * Writes rows in one round trip, each by itself: some may be done and others not.
   * Rejects with DriverError as the cache's methods do; some may be written then.
   */
  write(writes: readonly RowWrite[]): Promise<readonly RowWritten[]>
  /**
   * What changed since a reader's last look, each row once and as it is now, in the order of their latest change.
   * @param cursor where the last look ended; empty to begin
   */
  changes(cursor: string): Promise<Changes>
}

/** What is to be done to a row. */
export type RowWrite =
  /** Makes it or replaces its value. Without a fence it gets a new one, greater than all before: at least the time in milliseconds since 1970. */
  | { readonly do: 'put'; readonly key: string; readonly value: string; readonly fence?: number }
  /** Tells the readers of it, unchanged. */
  | { readonly do: 'touch'; readonly key: string; readonly fence: number }
  /** Takes it out; its fence is remembered for an hour. @param value why, for the readers */
  | { readonly do: 'remove'; readonly key: string; readonly fence: number; readonly value: string }

/** What became of a write. */
export interface RowWritten {
  /** `stale`: the row has a greater fence, so nothing was done. `unknown`: there is no row with this fence to touch. */
  readonly outcome: 'done' | 'stale' | 'unknown'
  /** The row's fence by now. */
  readonly fence: number
  /** The change's place in the order of all; 0 where nothing was done. */
  readonly revision: number
}

/** A row that changed. */
export interface Row {
  readonly key: string
  readonly fence: number
  readonly revision: number
  /** `touched`: its value is the one from before. */
  readonly is: 'put' | 'touched' | 'removed'
  /** Its value, or why it was removed; empty for one that was only touched. */
  readonly value: string
}

/** What a look at a table gives. */
export interface Changes {
  readonly rows: readonly Row[]
  /** Where the next look begins. */
  readonly cursor: string
  /** There is more than was given: look again at once. */
  readonly more: boolean
  /** The look began anew, with all rows: it was the first, or the server has lost what the cursor spoke of. */
  readonly afresh: boolean
}

/** Most rows that one look gives: a few milliseconds of the server's time, in which nobody else is served. */
export const ROWS_A_LOOK = 200
/** How long the fence of a removed row is remembered, milliseconds. */
export const REMEMBERED_MS = 3_600_000
