import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Clock } from '../../clock.ts'
import { DriverError } from '../../driver-error.ts'

const LOOK_EVERY_MS = 1000

/** What `FreeDisk` measures and against what. */
export interface FreeDiskOptions {
  readonly clock: Clock
  /** Bytes that must be free. */
  readonly minFreeBytes: number
  /** Asks the system how many are. */
  readonly freeBytes: () => number
}

/** Whether there is room to store more; looks at the disk once a second at most. */
export class FreeDisk {
  readonly #options: FreeDiskOptions
  readonly #freePages: StatementSync
  readonly #pageSize: number
  #lookAgain = Number.NEGATIVE_INFINITY
  #room = true

  constructor(db: DatabaseSync, options: FreeDiskOptions) {
    this.#options = options
    this.#freePages = db.prepare('PRAGMA freelist_count')
    this.#pageSize = Number(db.prepare('PRAGMA page_size').get()?.page_size)
  }

  /** Throws DriverError `full` while fewer than the wanted bytes are free. */
  wantRoom(): void {
    const { clock, minFreeBytes, freeBytes } = this.#options
    const now = clock.monotonic()
    if (now >= this.#lookAgain) {
      this.#lookAgain = now + LOOK_EVERY_MS
      // The file never shrinks: pages that deleted messages left free in it are room too.
      const insideFile = Number(this.#freePages.get()?.freelist_count) * this.#pageSize
      this.#room = freeBytes() + insideFile >= minFreeBytes
    }
    if (this.#room) return
    throw new DriverError('full', 'the disk is nearly full, nothing is published: free some space, then try again')
  }
}
