/** Ends of a unit in a row. */
export interface Ends {
  /** Of which kind the last ones were: after it had been ready, or before it ever was. */
  readonly ready: boolean
  /** How many of that kind there were. */
  readonly ofKind: number
  /** How many there were of either kind: what a restart budget is taken from. */
  readonly inARow: number
}

export const NO_ENDS: Ends = { ready: false, ofKind: 0, inARow: 0 }

/** Wait after the first end, milliseconds; doubled with each more in a row. */
const FIRST_MS = 100
/** What had been ready has somebody waiting for it: back within 2 s, what it takes to start included. The rest keeps a loop of crashes off a core. */
const LONGEST_READY_MS = 500
/** At most 10 starts in the first minute of what never gets ready (after systemd). */
const LONGEST_MS = 30_000
/** Readiness this long wipes out earlier ends, milliseconds. */
const FORGET_MS = 10_000

/**
 * The ends in a row after one more.
 * @param readyMs how long it had been ready before it; undefined when it never was
 */
export function endsAfter(ends: Ends, readyMs: number | undefined): Ends {
  const ready = readyMs !== undefined
  if (ready && readyMs >= FORGET_MS) return { ready, ofKind: 1, inARow: 1 }
  return { ready, ofKind: ready === ends.ready ? ends.ofKind + 1 : 1, inARow: ends.inARow + 1 }
}

/** Milliseconds to wait before the next start. */
export function restartDelay({ ready, ofKind }: Ends): number {
  return Math.min(ready ? LONGEST_READY_MS : LONGEST_MS, FIRST_MS * 2 ** (ofKind - 1))
}
