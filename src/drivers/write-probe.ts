import { statfsSync } from 'node:fs'
import type { Clock } from './clock.ts'
import { DriverError } from './driver-error.ts'

/** Milliseconds for which an answer stands: health is asked by many, and each write costs an fsync. */
const STANDS_MS = 1_000
/** What SQLite needs to go on: less, and one of the next commits is refused, even if what is free in its log takes this one. */
const MIN_FREE_BYTES = 65_536

/** Free bytes of the disk that holds a folder, as this user may fill it. */
export function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}

/** What a probe works with. */
export interface WriteProbeOptions {
  /** On whose disk there has to be room. Default: the database looks after that itself. */
  readonly folder?: string
  readonly clock: Pick<Clock, 'monotonic'>
  /** Changes nothing, and has it written to disk. */
  readonly write: () => Promise<unknown>
}

/** Finds out whether a database takes writes, by writing, for those who ask how it is while nobody writes. */
export class WriteProbe {
  readonly #options: WriteProbeOptions
  #last: { readonly at: number; readonly outcome: Promise<void> } | undefined

  constructor(options: WriteProbeOptions) {
    this.#options = options
  }

  /** Resolves when it does; rejects with DriverError, mostly `full` or `unavailable`. */
  check(): Promise<void> {
    const now = this.#options.clock.monotonic()
    if (this.#last === undefined || now >= this.#last.at + STANDS_MS) this.#last = { at: now, outcome: this.#write() }
    return this.#last.outcome
  }

  async #write(): Promise<void> {
    const { folder, write } = this.#options
    const free = folder === undefined ? MIN_FREE_BYTES : freeBytes(folder)
    if (free < MIN_FREE_BYTES) {
      throw new DriverError('full', `the disk of ${folder} is full (${free} bytes free): free some space`)
    }
    await write()
  }
}
