import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { DriverError } from '../driver-error.ts'
import { makePrivateFolder } from '../private-folder.ts'
import { Soundness } from '../soundness.ts'
import { asDamage, makeDatabaseFile, wantSound } from '../sqlite-soundness.ts'
import { toDriverError } from './sqlite-errors.ts'

/** Milliseconds a lock held by another process is waited for. */
export const BUSY_TIMEOUT_MS = 5_000

/**
 * WAL lets readers read while the writer writes. FULL makes a commit wait for fsync: with NORMAL a power cut loses
 * commits that were acknowledged. The log is cut back to 64 MiB after something big went through it. What a savepoint needs to undo its
 * rows stays in memory: in a temporary file, which SQLite takes beyond 64 KiB, four inserts took 0.19 ms instead of 0.06.
 */
const WRITER_PRAGMAS =
  'pragma synchronous = full; pragma foreign_keys = on; pragma journal_size_limit = 67108864; pragma temp_store = memory'

/** A store's database file, and how connections to it are opened. Methods throw DriverError. */
export class SqliteFile {
  readonly path: string
  readonly #folder: string
  readonly #store: string
  #soundness: Soundness | undefined

  /**
   * @param folder made with mode 0700 when missing
   * @param store the store's name; the file is `<folder>/<store>.db`
   */
  constructor(folder: string, store: string) {
    this.#folder = folder
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
      makePrivateFolder(this.#folder)
      makeDatabaseFile(this.path)
      const database = new DatabaseSync(this.path, { timeout: BUSY_TIMEOUT_MS })
      try {
        const mode = database.prepare('pragma journal_mode = wal').get()?.journal_mode
        if (mode !== 'wal') {
          throw new DriverError('unavailable', `${this.path}: no write-ahead log on this file system; use a local disk`)
        }
        database.exec(WRITER_PRAGMAS)
        wantSound(database, this.path)
        this.#soundness = new Soundness(this.path)
        return database
      } catch (error) {
        database.close()
        throw error
      }
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
