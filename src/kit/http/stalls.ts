import type { Clock } from '../../drivers/clock.ts'

/** Milliseconds between two beats. */
const BEAT_MS = 500
/** Milliseconds without a beat that make a stall. */
const STALL_MS = 1_500
/** Milliseconds for which a backlog is expected after one; some thousand connections are looked at in that time. */
const CATCH_UP_MS = 3_000

/**
 * Notices that this process stood still: it was suspended, swapped out, or blocked. Its clients went on meanwhile, so much of what it finds
 * waiting is from clients that have given up, and working it off keeps those waiting who haven't.
 */
export interface Stalls {
  /** True from the end of a stall on, for some seconds. */
  readonly isCatchingUp: boolean
  /** Ends the timer. */
  stop(): void
}

/** Begins to watch; the timer keeps no process alive. */
export function watchStalls(clock: Pick<Clock, 'monotonic'>): Stalls {
  let beatAt = clock.monotonic()
  let until = Number.NEGATIVE_INFINITY
  const look = () => {
    const now = clock.monotonic()
    if (now - beatAt >= STALL_MS) until = now + CATCH_UP_MS
    beatAt = now
  }
  const timer = setInterval(look, BEAT_MS)
  timer.unref()
  return {
    get isCatchingUp() {
      // what waits on sockets comes before the first beat
      const now = clock.monotonic()
      return now < until || now - beatAt >= STALL_MS
    },
    stop: () => clearInterval(timer),
  }
}

/**
 * Calls back once a closing that had arrived by now would have been seen: data that waits on a socket is read a turn of the loop before the end
 * behind it.
 */
export function afterNextReads(work: () => void): void {
  setImmediate(() => setImmediate(work))
}
