/** Most replicas of anything on one machine. */
export const MOST_REPLICAS = 64

/**
 * The name of a replica: that of what it is one of, with a number from the second on.
 * @param index from 0
 * @example replicaName('user', 1) // 'user-2'
 */
export function replicaName(of: string, index: number): string {
  return index === 0 ? of : `${of}-${index + 1}`
}
