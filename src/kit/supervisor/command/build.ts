import { AppError } from '../../errors.ts'
import { aborted } from '../../pause.ts'
import type { CommandLine, ProcessGroup } from './process-group.ts'

/** What a build is run with. */
export interface BuildOptions {
  readonly command: CommandLine
  /** Starts it; its output goes where the service's does. */
  readonly start: (command: CommandLine) => Promise<ProcessGroup>
}

/** What a service is built by before its replicas start: once for all of them. */
export class Build {
  readonly #options: BuildOptions
  #done: Promise<void> | undefined
  #group: ProcessGroup | undefined

  constructor(options: BuildOptions) {
    this.#options = options
  }

  /** Resolves when it is built, which is done once, or the signal fires. Rejects with AppError `START_FAILED` when it fails; asked again, it is tried again. */
  async ensure(signal: AbortSignal): Promise<void> {
    this.#done ??= this.#run()
    await Promise.race([this.#done, aborted(signal)])
  }

  /** Builds anew. Rejects as `ensure`; what was built before counts as built all the same. */
  async renew(): Promise<void> {
    const before = this.#done
    this.#done = this.#run()
    await this.#done.catch((fault: unknown) => {
      this.#done = before
      throw fault
    })
  }

  /** Ends what runs of it. */
  close(): void {
    this.#group?.kill()
  }

  async #run(): Promise<void> {
    try {
      this.#group = await this.#options.start(this.#options.command)
      const how = await this.#group.exited
      if (how !== 'exit code 0') throw new AppError('START_FAILED', `its build ended with ${how}`)
    } catch (fault) {
      this.#done = undefined
      throw fault
    } finally {
      this.#group = undefined
    }
  }
}
