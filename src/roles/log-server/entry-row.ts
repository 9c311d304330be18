/** A log entry as its row has it. */
export interface EntryRow {
  /** Grows with time, see entry-ids.ts. */
  readonly id: number
  /** Milliseconds since 1970. */
  readonly at: number
  /** Rank: 0 for DEBUG up to 4 for CRITICAL. */
  readonly level: number
  readonly service: string
  readonly instance: string
  readonly message: string
  readonly trace_id: string | null
  readonly span_id: string | null
  /** JSON. */
  readonly metadata: string | null
  /** JSON of what not every entry has, with where it comes from. */
  readonly details: string | null
}
