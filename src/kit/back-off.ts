/** Where a back-off begins, where it ends, and who rolls its dice. */
export interface BackOffOptions {
  /** Wait after the first failure, milliseconds. Default 100. */
  readonly firstMs?: number
  /** Longest wait, milliseconds. Default 1 500: who is well again has its first success within 2 s, and breakers keep calls from who isn't. */
  readonly mostMs?: number
  /** Uniform in [0, 1). Default `Math.random`. */
  readonly random?: () => number
}

/**
 * Milliseconds to wait before trying again: doubled with each failure, less up to half of it at random, so that those who
 * failed together don't come back together ("equal jitter", AWS Architecture Blog, 2015).
 * @param failures in a row, from 1
 * @example await pause(backOff(++failures), signal)
 */
export function backOff(
  failures: number,
  { firstMs = 100, mostMs = 1_500, random = Math.random }: BackOffOptions = {},
): number {
  const full = Math.min(mostMs, firstMs * 2 ** (failures - 1))
  return full / 2 + (full / 2) * random()
}
