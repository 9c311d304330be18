import type { Clock } from '../../drivers/clock.ts'

/** Something that must not go on for ever. */
export interface Watched {
  /** Monotonic milliseconds; may be moved at any time. */
  dueAt: number
  /** Where the watchdog keeps it; `UNWATCHED` at first, and not to be changed by anybody else. */
  watchedAt: number
  /** Called once `dueAt` has passed, again at every look until it moves or is unwatched. */
  onDue(): void
}

/** The place of something that no watchdog looks after. */
export const UNWATCHED = -1

/**
 * Deadlines of all requests under way, looked over at a fixed beat. A timer of its own for every request, moved at every chunk,
 * would cost more than the rest of the request; being late by up to one beat costs nothing.
 */
export interface Watchdog {
  /** Looks after it until it is unwatched; watching twice is fine. */
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
  // an array, not a Set: one that every request joins and leaves makes a new table again and again, and an old table that has been
  // promoted keeps all later ones, with the requests in them, through each scavenge
  const all: Watched[] = []
  const timer = setInterval(() => {
    const now = clock.monotonic()
    // from the end: whoever leaves meanwhile has its place taken by one that was looked at already
    for (let at = all.length - 1; at >= 0; at--) {
      const watched = all[at]
      if (watched && now >= watched.dueAt) watched.onDue()
    }
  }, beatMs)
  timer.unref()
  return {
    watch(watched) {
      if (watched.watchedAt === UNWATCHED) watched.watchedAt = all.push(watched) - 1
    },
    unwatch(watched) {
      const at = watched.watchedAt
      if (at === UNWATCHED) return
      watched.watchedAt = UNWATCHED
      const last = all.pop()
      if (!last || last === watched) return
      all[at] = last
      last.watchedAt = at
    },
    get size() {
      return all.length
    },
    stop: () => clearInterval(timer),
  }
}
