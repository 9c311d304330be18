/**
 * Milliseconds to let things gather after a round that took `count` of them: 2 for each, at most 20. A quiet service so answers at once;
 * a busy one carries many in one request and one fsync.
 */
export function linger(count: number): number {
  return Math.min(20, 2 * count)
}
