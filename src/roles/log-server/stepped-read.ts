import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../../drivers/clock.ts'

/** A long list read backwards from cursor to cursor. */
export interface Stepwise<R, C> {
  /** Where the step that begins at `from` ends; undefined when it reaches the end of the list. */
  stepEnd(from: C): Promise<C | undefined>
  /** The rows wanted between two cursors (`to` undefined: the end of the list), at most `limit`, in order. */
  read(from: C, to: C | undefined, limit: number): Promise<readonly R[]>
  /** The cursor that continues behind a row. */
  after(row: R): C
}

/** A page of a list. */
export interface Page<R, C> {
  readonly rows: readonly R[]
  /** Where to go on; undefined when there is nothing more. */
  readonly next: C | undefined
}

/** Longest search for one page, in milliseconds; the page ends early then, and can be continued. */
const MAX_SEARCH_MS = 2_000

/**
 * Reads a page of the rows that fit a filter. The embedded store answers on the event loop's own thread, so a search that finds
 * little in a lot is cut into steps, with everybody else's turn in between.
 */
export async function readPage<R, C>(
  list: Stepwise<R, C>,
  start: C,
  limit: number,
  clock: Pick<Clock, 'monotonic'>,
): Promise<Page<R, C>> {
  const deadline = clock.monotonic() + MAX_SEARCH_MS
  const rows: R[] = []
  let from = start
  for (;;) {
    const to = await list.stepEnd(from)
    rows.push(...(await list.read(from, to, limit + 1 - rows.length)))
    const last = rows[limit - 1]
    if (rows.length > limit && last !== undefined) return { rows: rows.slice(0, limit), next: list.after(last) }
    if (to === undefined) return { rows, next: undefined }
    from = to
    if (clock.monotonic() > deadline) return { rows, next: from }
    await nextTurn()
  }
}
