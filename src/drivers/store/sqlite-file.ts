import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { DriverError } from '../driver-error.ts'
import type { Soundness } from '../soundness.ts'
import { openToWrite } from '../sqlite-opening.ts'
import { asDamage } from '../sqlite-soundness.ts'
import { toDriverError } from './sqlite-errors.ts'

/** Milliseconds a lock held by another process is waited for. */
export const BUSY_TIMEOUT_MS = 5_000

/** The log is cut back to 64 MiB after something big went through it. */
const PRAGMAS = 'pragma foreign_keys = on; pragma journal_size_limit = 67108864'

/** A store's database file, and how connections to it are opened. Methods throw DriverError. */
export class SqliteFile {
  readonly path: string
  readonly #store: string
  #soundness: Soundness | undefined

  /**
   * @param folder made with mode 0700 when missing
   * @param store the store's name; the file is `<folder>/<store>.db`
   */
  constructor(folder: string, store: string) {
    this.#store = store
    this.path = join(folder, `${store}.db`)
  }

  /** Whether it is still what `openWriter` opened. Throws DriverError `closed` before that. */
  get soundness(): Soundness {
    if (this.#soundness === undefined) throw new DriverError('closed', `${this.#store} store: it is not open yet`)
    return this.#soundness
  }

  /** Opens the connection that writes, making folder and file when missing. */
  openWriter(): DatabaseSync {
    return this.#explained(() => {
      const { database, soundness } = openToWrite(this.path, { busyMs: BUSY_TIMEOUT_MS, pragmas: PRAGMAS })
      this.#soundness = soundness
      return database
    })
  }

  /** Opens a connection that can only read. The writer must have been opened before. */
  openReader(): DatabaseSync {
    return this.#explained(() => new DatabaseSync(this.path, { timeout: BUSY_TIMEOUT_MS, readOnly: true }))
  }

  /** What node:sqlite threw on one of its connections, in a driver's words (see `toDriverError`); takes note of damage. */
  driverError(error: unknown): DriverError {
    this.#soundness?.note(error)
    return toDriverError(error, this.#store)
  }

  #explained(open: () => DatabaseSync): DatabaseSync {
    try {
      return open()
    } catch (error) {
      throw toDriverError(asDamage(error, this.path), this.#store)
    }
  }
}
