import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../clock.ts'
import { meaningOf } from './errors.ts'

/** Milliseconds for which something is tried again when its connection is lost: if a restart or a failover takes longer, callers are told to come back (503). */
const AWAY_MS = 3_000
/** The longest first wait, and the longest of all, milliseconds. */
const AWAY_FIRST_MS = 20
const AWAY_MOST_MS = 400
/** How often something is tried that meets what others change, and the longest waits before it is again. */
const MOST_CONFLICTS = 20
const CONFLICT_FIRST_MS = 2
const CONFLICT_MOST_MS = 100

/** Time and chance. */
export interface AttemptsOptions {
  readonly clock: Pick<Clock, 'monotonic'>
  /** Uniform in [0, 1). */
  readonly random: () => number
}

/**
 * Runs something until it succeeds or fails for good: again at once, and then less and less often, when it met another transaction's changes or lost its
 * connection, up to 20 times or for 3 s. All of a wait is drawn at random, so that those who met once don't meet again ("full jitter", AWS Architecture Blog, 2015).
 * @param attempt told how often it met others' changes; it must have had no effect when it rejects with what `meaningOf` doesn't call final
 */
export async function withAttempts<T>(
  attempt: (conflicts: number) => Promise<T>,
  { clock, random }: AttemptsOptions,
): Promise<T> {
  let conflicts = 0
  let losses = 0
  let lostAt: number | undefined
  for (;;) {
    const began = clock.monotonic()
    try {
      return await attempt(conflicts)
    } catch (fault) {
      const meaning = meaningOf(fault)
      if (meaning === 'final') throw fault
      if (meaning === 'conflicts') {
        if (++conflicts === MOST_CONFLICTS) throw fault
        await sleep(random() * Math.min(CONFLICT_MOST_MS, CONFLICT_FIRST_MS * 2 ** conflicts))
      } else {
        lostAt ??= began
        const waitMs = random() * Math.min(AWAY_MOST_MS, AWAY_FIRST_MS * 2 ** losses++)
        if (clock.monotonic() + waitMs > lostAt + AWAY_MS) throw fault
        await sleep(waitMs)
      }
    }
  }
}
