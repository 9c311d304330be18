import { AppError } from '../../errors.ts'
import { aborted } from '../../pause.ts'
import type { ProcessGroup } from './process-group.ts'
import type { CommandLine } from './shell-line.ts'

/** What a build is run with. */
export interface BuildOptions {
  readonly command: CommandLine
  /** Starts it; its output goes where the service's does. */
  readonly start: (command: CommandLine) => Promise<ProcessGroup>
  /** What must have ended before: an earlier build in the same folder. Default: nothing. */
  readonly after?: Promise<void>
}

/** A run of a build. */
interface Run {
  /** Ends it. */
  readonly over: AbortController
  /** Rejects with AppError `START_FAILED`. */
  readonly done: Promise<void>
  /** How many wait for it. */
  waiting: number
}

/** What a service is built by before its replicas start: once for all of them. */
export class Build {
  readonly #options: BuildOptions
  readonly #closed = new AbortController()
  #isBuilt = false
  /** What is under way. */
  #run: Run | undefined
  /** Resolves when nothing of it runs any more. */
  #last: Promise<void>

  constructor(options: BuildOptions) {
    this.#options = options
    this.#last = options.after ?? Promise.resolve()
  }

  /**
   * Resolves when it is built, which is done once, or the signal fires; a build that nobody waits for any more is ended. Rejects with AppError
   * `START_FAILED` when it fails; asked again, it is tried again.
   */
  async ensure(signal: AbortSignal): Promise<void> {
    if (this.#isBuilt && !this.#run) return
    await this.#waitFor(this.#run ?? this.#begin(), aborted(signal))
  }

  /** What was built before doesn't count as built any more: it is built anew when it is asked for next. */
  outdate(): void {
    this.#isBuilt = false
  }

  /** Builds anew; false when it was closed before that was done. Rejects as `ensure`; what was built before counts as built all the same. */
  async renew(): Promise<boolean> {
    return this.#waitFor(this.#begin(), aborted(this.#closed.signal))
  }

  /** It isn't renewed any more; resolves when nothing runs of it, which replicas that still wait for it put off. */
  async close(): Promise<void> {
    this.#closed.abort()
    await this.#last
  }

  /** Waits for a run as long as there is need, and ends it when nobody else waits; gives whether it was done. */
  async #waitFor(run: Run, noNeed: Promise<unknown>): Promise<boolean> {
    run.waiting++
    try {
      return await Promise.race([run.done.then(() => true), noNeed.then(() => false)])
    } finally {
      run.waiting--
      if (run.waiting === 0) {
        run.over.abort()
        // whoever asks from now on wants one that isn't ended
        if (this.#run === run) this.#run = undefined
      }
    }
  }

  #begin(): Run {
    const over = new AbortController()
    const done = this.#build(over, this.#last)
    this.#last = done.catch(() => {})
    this.#run = { over, done, waiting: 0 }
    return this.#run
  }

  async #build(over: AbortController, before: Promise<void>): Promise<void> {
    const { command, start } = this.#options
    try {
      await before
      if (over.signal.aborted) return
      const group = await start(command)
      over.signal.addEventListener('abort', group.kill, { once: true })
      if (over.signal.aborted) group.kill()
      const how = await group.exited
      over.signal.removeEventListener('abort', group.kill)
      if (how !== 'exit code 0') throw new AppError('START_FAILED', `its build ended with ${how}`)
      this.#isBuilt = true
    } finally {
      if (this.#run?.over === over) this.#run = undefined
    }
  }
}
