/** How long a piece of work keeps the event loop before others have their turn, in milliseconds. */
const SLICE_MS = 2
/** Turns of the loop between two slices, which cost nothing when nobody wants them: libuv accepts one connection a turn. */
const TURNS_BETWEEN = 16
/** When others want them all: how much time they have between two slices, in milliseconds. */
const OTHERS_MS = 4 * SLICE_MS

let waiting: (() => void)[] = []

/**
 * Time on the event loop for work that may be too long to be done at once. However much of such work there is, each begins with a slice, and goes on
 * with one when it has waited its turn.
 */
export class Slice {
  #until = performance.now() + SLICE_MS

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
    if (waiting.push(resolve) === 1) letOthers()
  })
}

function letOthers(turns = TURNS_BETWEEN, until = performance.now() + OTHERS_MS): void {
  setImmediate(() => {
    if (turns > 1 && performance.now() < until) letOthers(turns - 1, until)
    else letFirstGoOn()
  })
}

function letFirstGoOn(): void {
  const [first, ...others] = waiting
  waiting = others
  if (others.length > 0) letOthers()
  first?.()
}
