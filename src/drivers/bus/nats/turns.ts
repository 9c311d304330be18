import { Moved } from './moved.ts'

/** What a turn does besides what it is asked for. */
export interface TurnSteps {
  /** Before all else. */
  readonly first: () => Promise<void>
  /** When it is wanted, after what was asked for. */
  readonly serve: () => Promise<void>
  /** Writes down what changed; what was asked for is answered once it did. */
  readonly writeDown: () => Promise<void>
  /** A turn is over, whatever came of it. */
  readonly last: () => void
  /** It could not be written down: nothing of the turn is so. */
  readonly failed: (fault: unknown) => void
}

interface Work {
  run(): Promise<void>
  reject(fault: unknown): void
}

/** One turn after the other: what is asked for meanwhile is done together in the next one, and answered when it is written down. */
export class Turns {
  readonly #steps: TurnSteps
  #queue: Work[] = []
  #telling: (() => void)[] = []
  #failing: ((fault: unknown) => void)[] = []
  #wantsServing = false
  #isRunning = false
  #isOver = false

  constructor(steps: TurnSteps) {
    this.#steps = steps
  }

  /** Does something in the next turn; what it returns is told once that is written down. Rejects with Moved when there are no more turns. */
  do<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isOver) return Promise.reject(new Moved())
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const run = async () => {
      const value = await work()
      this.after(() => resolve(value), reject)
    }
    this.#queue.push({ run, reject })
    void this.#run()
    return promise
  }

  /** Has the next turn serve. */
  serve(): void {
    if (this.#isOver) return
    this.#wantsServing = true
    void this.#run()
  }

  /** Within a turn: what is told after it is written down, and where it can't be. */
  after(tell: () => void, failed?: (fault: unknown) => void): void {
    this.#telling.push(tell)
    if (failed !== undefined) this.#failing.push(failed)
  }

  /** There are no more turns. */
  end(fault: unknown = new Moved()): void {
    this.#isOver = true
    for (const work of this.#queue.splice(0)) work.reject(fault)
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return
    this.#isRunning = true
    // all that is asked for in this turn of the event loop shares one
    await Promise.resolve()
    while (!this.#isOver && (this.#queue.length > 0 || this.#wantsServing)) await this.#turn()
    this.#isRunning = false
  }

  async #turn(): Promise<void> {
    const works = this.#queue.splice(0)
    this.#telling = []
    this.#failing = []
    try {
      await this.#steps.first()
      for (const work of works) await work.run().catch((fault: unknown) => work.reject(fault))
      if (this.#wantsServing) {
        this.#wantsServing = false
        await this.#steps.serve()
      }
      await this.#steps.writeDown()
      for (const tell of this.#telling) tell()
    } catch (fault) {
      this.end(fault)
      for (const fail of [...works.map(({ reject }) => reject), ...this.#failing]) fail(fault)
      this.#steps.failed(fault)
    }
    this.#steps.last()
  }
}
