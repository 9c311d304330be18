/** Lets a loop sleep until there is something to do. One loop, any number of bell-ringers. */
export interface WakeUp {
  /** Ends the sleep under way; when there is none, the next one ends at once. */
  ring(): void
  /** Resolves when rung, after `ms` milliseconds, or when `signal` fires, whichever comes first. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

/** Makes a bell for one loop. Continuations run in the sleeper's scope, not in that of whoever rang. */
export function createWakeUp(): WakeUp {
  let rung = false
  let wake: (() => void) | undefined
  return {
    ring() {
      if (wake) wake()
      else rung = true
    },
    sleep(ms, signal) {
      if (rung || signal.aborted) {
        rung = false
        return Promise.resolve()
      }
      return new Promise((resolve) => {
        const end = () => {
          clearTimeout(timer)
          signal.removeEventListener('abort', end)
          wake = undefined
          resolve()
        }
        const timer = setTimeout(end, ms)
        signal.addEventListener('abort', end)
        wake = end
      })
    },
  }
}

/** Resolves after `ms` milliseconds, or when `signal` fires. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return createWakeUp().sleep(ms, signal)
}

/**
 * Milliseconds to let things gather after a round that took `count` of them: 2 for each, at most 20. A quiet service so answers at once;
 * a busy one carries many in one request and one fsync.
 */
export function linger(count: number): number {
  return Math.min(20, 2 * count)
}

/**
 * Milliseconds to wait before trying again: 100 doubling to 5 000, each less up to half of it at random, so that those
 * who failed together don't come back together ("equal jitter", AWS Architecture Blog, 2015).
 * @param failures in a row, from 1
 */
export function backOff(failures: number, random: () => number = Math.random): number {
  const full = Math.min(5_000, 100 * 2 ** Math.min(failures - 1, 10))
  return full / 2 + (full / 2) * random()
}
