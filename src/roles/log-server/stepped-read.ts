import type { Clock } from '../../drivers/clock.ts'
import { type Search, tooBusy } from './searches.ts'

/** A long list read from cursor to cursor. */
export interface Stepwise<R, C> {
  /**
   * Looks at what comes behind a cursor: at most `size` rows of the list, until `limit` are found that are wanted. Gives those, in order, and where
   * to go on.
   */
  step(from: C, size: number, limit: number): Promise<Page<R, C>>
  /** The cursor that continues behind a row. */
  after(row: R): C
}

/** A page of a list. */
export interface Page<R, C> {
  readonly rows: readonly R[]
  /** Where to go on; undefined when there is nothing more. */
  readonly next: C | undefined
}

/** Rows that the first step of a search looks at; and the bounds between which the later ones find what takes about as long as a step should. */
const FIRST_ROWS = 500
const LEAST_ROWS = 100
const MOST_ROWS = 50_000
/** Milliseconds a step should take: what everybody else who searches waits for. */
const STEP_MS = 5

/**
 * Reads a page of the rows that fit a filter, in steps, so that a search that finds little in a lot lets the others have their turns. When its time is
 * over the page ends early, and can be continued. Throws AppError `UNAVAILABLE` when it got no turn at all.
 */
export async function readPage<R, C>(
  list: Stepwise<R, C>,
  start: C,
  limit: number,
  { search, clock }: { readonly search: Search; readonly clock: Pick<Clock, 'monotonic'> },
): Promise<Page<R, C>> {
  const rows: R[] = []
  let from = start
  for (let size = FIRST_ROWS; ; ) {
    const looked = await search.step(async () => {
      const beganAt = clock.monotonic()
      const found = await list.step(from, size, limit + 1 - rows.length)
      return { ...found, ms: clock.monotonic() - beganAt }
    })
    if (looked === undefined) {
      if (from === start) throw tooBusy('This search had no turn in its time')
      return { rows, next: from }
    }
    rows.push(...looked.rows)
    const last = rows[limit - 1]
    if (rows.length > limit && last !== undefined) return { rows: rows.slice(0, limit), next: list.after(last) }
    if (looked.next === undefined) return { rows, next: undefined }
    from = looked.next
    size = nextSize(size, looked.ms)
  }
}

/** As many rows as would have taken as long as a step should; at most twice as many as before, and no less than half, since one step may have met a pause. */
function nextSize(size: number, ms: number): number {
  const factor = Math.min(2, Math.max(0.5, STEP_MS / Math.max(ms, 0.1)))
  return Math.min(MOST_ROWS, Math.max(LEAST_ROWS, Math.round(size * factor)))
}
