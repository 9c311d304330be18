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
