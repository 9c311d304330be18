/** What a test may want to decide by itself. */
export interface Chance {
  /** From 0 to 1: spreads the delays of messages given back. */
  readonly random: () => number
  /** Free bytes of the disk that holds a folder. */
  readonly freeBytes: (folder: string) => number
}
