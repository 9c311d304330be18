/** How long a piece of work keeps the event loop before others have their turn, in milliseconds. */
const SLICE_MS = 2

let waiting: (() => void)[] = []

/** Time on the event loop for work that is too long to be done at once. However much such work is under way, a turn of the loop has one slice of it. */
export class Slice {
  #until = performance.now() + SLICE_MS

  /** Resolves with a slice when it is this work's turn: at once, unless other such work waits. */
  static async begin(): Promise<Slice> {
    if (waiting.length > 0) await turn()
    return new Slice()
  }

  /** Whether it is others' turn now. */
  get isOver(): boolean {
    return performance.now() >= this.#until
  }

  /** Gives the loop back; resolves when the work may go on. */
  async next(): Promise<void> {
    await turn()
    this.#until = performance.now() + SLICE_MS
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(letOneGoOn)
  })
}

function letOneGoOn(): void {
  const [first, ...others] = waiting
  waiting = others
  if (others.length > 0) setImmediate(letOneGoOn)
  first?.()
}
