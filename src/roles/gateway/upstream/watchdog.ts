import type { Clock } from '../../../drivers/clock.ts'

/** Something that must not go on for ever. */
export interface Watched {
  /** Monotonic milliseconds; may be moved at any time. */
  dueAt: number
  /** Called once `dueAt` has passed, again at every look until it moves or is unwatched. */
  onDue(): void
}

/**
 * Deadlines of all requests under way, looked over at a fixed beat. A timer of its own for every request, moved at every chunk,
 * would cost more than the rest of the request; being late by up to one beat costs nothing.
 */
export interface Watchdog {
  /** Looks after it until it is unwatched. */
  watch(watched: Watched): void
  /** Looks away; unwatching twice is fine. */
  unwatch(watched: Watched): void
  /** How many are watched. */
  readonly size: number
  /** Ends the timer. */
  stop(): void
}

/**
 * Starts a watchdog; it keeps no process alive.
 * @param options.beatMs milliseconds between looks. Default 50.
 */
export function startWatchdog({ clock, beatMs = 50 }: { clock: Clock; beatMs?: number }): Watchdog {
  const all = new Set<Watched>()
  const timer = setInterval(() => {
    const now = clock.monotonic()
    for (const watched of all) if (now >= watched.dueAt) watched.onDue()
  }, beatMs)
  timer.unref()
  return {
    watch: (watched) => void all.add(watched),
    unwatch: (watched) => void all.delete(watched),
    get size() {
      return all.size
    },
    stop: () => clearInterval(timer),
  }
}
