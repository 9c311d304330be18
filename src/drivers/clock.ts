/** Time, passed in so that rules about time can be tested without waiting. */
export interface Clock {
  /** Wall clock, milliseconds since 1970. For people and stored times; it may jump. */
  now(): number
  /** Milliseconds since an arbitrary start; never jumps. For leases, timeouts and durations. */
  monotonic(): number
}

/** The machine's own clocks. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
}
