import { randomFillSync } from 'node:crypto'

const POOL_BYTES = 8192

/**
 * Makes random lower-case hex ids from a pool of the system's randomness: a system call for each id would cost
 * more than the rest of a request's bookkeeping.
 * @param bytes length of each id in bytes, such as 16 for a trace id
 */
export function createIdSource(
  bytes: number,
  fill: (pool: Buffer) => void = (pool) => randomFillSync(pool),
): () => string {
  const pool = Buffer.allocUnsafe(POOL_BYTES)
  let at = POOL_BYTES
  return function nextId() {
    if (at + bytes > POOL_BYTES) {
      fill(pool)
      at = 0
    }
    at += bytes
    return pool.toString('hex', at - bytes, at)
  }
}
