/** Values looked at in one item before its size is taken as it stands; what the kit ships is far smaller. */
const MAX_VISITS = 512
const MAX_DEPTH = 8
/** What V8 keeps for a value besides its text: header, slot in its owner, alignment. */
const BYTES_A_VALUE = 24

/**
 * Estimates how many bytes an item keeps in memory: text at a byte a character, some bytes a value. For bounding queues, where an
 * exact figure (serialising each item) would cost more than the queue. Follows plain objects and arrays eight levels deep.
 */
export function roughSize(item: unknown): number {
  let visits = 0

  function sizeOf(value: unknown, depth: number): number {
    visits++
    if (typeof value === 'string') return BYTES_A_VALUE + value.length
    if (typeof value !== 'object' || value === null || depth === MAX_DEPTH) return BYTES_A_VALUE
    const fields = value as Readonly<Record<string, unknown>>
    let size = BYTES_A_VALUE
    for (const key in fields) {
      if (visits >= MAX_VISITS) break
      size += sizeOf(fields[key], depth + 1)
    }
    return size
  }

  return sizeOf(item, 0)
}
