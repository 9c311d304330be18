/** How restarts are spaced (security.md, after systemd): the wait doubles with each failure and is forgotten after steady work. */
export interface BackoffPolicy {
  /** Wait after the first failure, milliseconds. */
  readonly firstMs: number
  readonly longestMs: number
  /** Readiness this long wipes out earlier failures, milliseconds. */
  readonly forgetMs: number
}

/** 100 ms doubling to 30 s, forgotten after 10 s of readiness: at most 10 starts in the first minute. */
export const RESTART: BackoffPolicy = { firstMs: 100, longestMs: 30_000, forgetMs: 10_000 }

/**
 * Failures in a row after one more end, given how long the role had been ready before it.
 * @param readyMs 0 when it never became ready
 */
export function failuresAfter(failures: number, readyMs: number, policy: BackoffPolicy = RESTART): number {
  return readyMs >= policy.forgetMs ? 1 : failures + 1
}

/** Milliseconds to wait before the next start, after this many failures in a row (1 or more). */
export function restartDelay(failures: number, policy: BackoffPolicy = RESTART): number {
  return Math.min(policy.longestMs, policy.firstMs * 2 ** (failures - 1))
}
