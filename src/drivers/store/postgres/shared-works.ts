import { AsyncLocalStorage } from 'node:async_hooks'
import { setImmediate as nextTurn } from 'node:timers/promises'

/** Works in one transaction: more would have the first of them wait long for its answer. */
const MOST_TOGETHER = 64
/** Transactions of several at the same time: while one waits for the disk, another has its statements run. */
const AT_ONCE = 2

/** A part of a transaction. */
type Work<Face, T> = (face: Face) => Promise<T>

/**
 * What became of works that shared a transaction:
 * - `committed`: all of them are.
 * - `failed`: none, since one of them threw.
 * - `held up`: none, for what takes its time or passes: a lock of others, a connection that was lost.
 */
export type SharedOutcome = 'committed' | 'failed' | 'held up'

/** Runs works in one transaction, all or none. Rejects where nobody can say, or nothing is to be had. */
type Together<Face> = (works: readonly Work<Face, void>[]) => Promise<SharedOutcome>

interface Job<Face> {
  readonly work: Work<Face, void>
  /** Tells who asked what the work gave. */
  readonly answer: () => void
  readonly refuse: (fault: unknown) => void
  readonly runAlone: () => Promise<void>
}

/**
 * Gathers works that may share a transaction: those that come while others run go together in the next one (group commit, DeWitt et al., "Implementation
 * Techniques for Main Memory Database Systems", 1984). Their statements are sent without waiting for each other's answers, so that many share a round trip too.
 */
export class SharedWorks<Face> {
  readonly #together: Together<Face>
  readonly #waiting: Job<Face>[] = []
  #running = 0

  constructor(together: Together<Face>) {
    this.#together = together
  }

  /**
   * Runs a work beside others, or alone where nobody else asks or it fails beside them. Resolves with its value once it is committed; it runs in the
   * caller's async context.
   * @param alone runs the same work in a transaction of its own
   */
  run<T>(work: Work<Face, T>, alone: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const inContext = AsyncLocalStorage.snapshot()
      let answer = () => {}
      this.#waiting.push({
        async work(face) {
          const value = await inContext(work, face)
          answer = () => resolve(value)
        },
        answer: () => answer(),
        refuse: reject,
        runAlone: () => inContext(alone).then(resolve, reject),
      })
      if (this.#running < AT_ONCE) void this.#go()
    })
  }

  async #go(): Promise<void> {
    this.#running++
    // whoever asks in the same turn of the event loop joins
    await nextTurn()
    while (this.#waiting.length > 0) await this.#runSome(this.#waiting.splice(0, MOST_TOGETHER))
    this.#running--
  }

  /** Never rejects. */
  async #runSome(jobs: readonly Job<Face>[]): Promise<void> {
    const [first, second] = jobs
    if (!second) return first?.runAlone()
    try {
      const outcome = await this.#together(jobs.map(({ work }) => work))
      if (outcome === 'committed') for (const { answer } of jobs) answer()
      else if (outcome === 'failed') await this.#runHalves(jobs)
      // by halves, each would wait for it anew
      else await Promise.all(jobs.map(({ runAlone }) => runAlone()))
    } catch (fault) {
      for (const { refuse } of jobs) refuse(fault)
    }
  }

  /** One that fails so runs alone in the end, and has few of the others do. */
  async #runHalves(jobs: readonly Job<Face>[]): Promise<void> {
    const middle = Math.ceil(jobs.length / 2)
    await this.#runSome(jobs.slice(0, middle))
    await this.#runSome(jobs.slice(middle))
  }
}
