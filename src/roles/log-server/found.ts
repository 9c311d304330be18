/** A row that was found: its id, and the bytes of its texts. */
export type Found = readonly [id: number, bytes: number]

/** How many of the rows found, the first of them at least, have no more than so many bytes together. */
export function withinBytes(found: readonly Found[], most: number): number {
  let sum = 0
  const beyond = found.findIndex(([, bytes], i) => {
    sum += bytes
    return sum > most && i > 0
  })
  return beyond < 0 ? found.length : beyond
}
