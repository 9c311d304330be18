/** Rows of one statement: far below SQLite's 32 766 parameters. */
const LARGEST = 128

/**
 * Cuts rows into chunks whose lengths are powers of two, at most 128: however many rows there are, a table sees only eight
 * different statements, which stay prepared.
 */
export function* inChunks<R>(rows: readonly R[]): Generator<readonly R[]> {
  let size = LARGEST
  for (let at = 0; at < rows.length; at += size) {
    while (size > rows.length - at) size /= 2
    yield rows.slice(at, at + size)
  }
}
