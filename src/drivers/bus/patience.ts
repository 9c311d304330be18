const LEAST_MS = 100
const MOST_MS = 30_000
/** What has failed for so long is tried again after a tenth of that, so that a fault is outlived by a tenth of its length at most. */
const SHARE = 0.1

/**
 * Milliseconds to wait for somebody who isn't well at the moment: a tenth of what was waited so far, from 100 ms to 30 s, less up to half of it by
 * chance, so that those who failed together don't come back together.
 * @param waitedMs since it first failed
 * @param random from 0 to 1
 */
export function patienceMs(waitedMs: number, random: number): number {
  return Math.min(MOST_MS, Math.max(LEAST_MS, waitedMs * SHARE)) * (1 - random / 2)
}
