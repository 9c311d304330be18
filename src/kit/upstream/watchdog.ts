import type { Clock } from '../../drivers/clock.ts'
import { type Enrolled, Roster } from '../roster.ts'

/** Something that must not go on for ever. */
export interface Watched extends Enrolled {
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
  const all = new Roster<Watched>()
  const timer = setInterval(() => {
    const now = clock.monotonic()
    all.each((watched) => {
      if (now >= watched.dueAt) watched.onDue()
    })
  }, beatMs)
  timer.unref()
  return {
    watch: (watched) => all.add(watched),
    unwatch: (watched) => all.remove(watched),
    get size() {
      return all.size
    },
    stop: () => clearInterval(timer),
  }
}
