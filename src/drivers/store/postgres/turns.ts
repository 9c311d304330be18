interface Waiting {
  readonly alone: boolean
  readonly begin: () => void
}

/** Lets tasks run side by side, but for those that want to be alone: in the order asked for. */
export class Turns {
  readonly #waiting: Waiting[] = []
  #running = 0
  #isOneAlone = false

  /** Runs a task when its turn comes. @param alone waits for all that run, and lets none begin beside it */
  async run<T>(alone: boolean, task: () => Promise<T>): Promise<T> {
    await new Promise<void>((begin) => {
      this.#waiting.push({ alone, begin })
      this.#go()
    })
    try {
      return await task()
    } finally {
      this.#running--
      this.#isOneAlone = false
      this.#go()
    }
  }

  #go(): void {
    for (;;) {
      const [next] = this.#waiting
      if (!next || this.#isOneAlone || (next.alone && this.#running > 0)) return
      this.#waiting.shift()
      this.#running++
      this.#isOneAlone = next.alone
      next.begin()
    }
  }
}
