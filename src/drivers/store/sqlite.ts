import { type Kysely, sql, type Transaction } from 'kysely'
import { systemClock } from '../clock.ts'
import { DriverError } from '../driver-error.ts'
import { isDamage, setAside, withAdvice } from '../sqlite-soundness.ts'
import { WriteProbe } from '../write-probe.ts'
import { Bells } from './bells.ts'
import { CommitCallbacks } from './commit-callbacks.ts'
import type { Store, StoreDriver, StoreOptions, StorePlace } from './contract.ts'
import { GroupCommit, type GroupCommitLimits } from './group-commit.ts'
import { readingKysely, workingTransaction } from './kysely-face.ts'
import { migrate } from './migrate.ts'
import { BUSY_TIMEOUT_MS, SqliteFile } from './sqlite-file.ts'
import { SQLITE_PARTS } from './sqlite-kysely.ts'
import { SqliteReader } from './sqlite-reader.ts'
import { readFile } from './sqlite-snapshot.ts'
import { SqliteThread } from './sqlite-thread.ts'
import { SqliteWriter, WorkConnection } from './sqlite-writer.ts'

/** `workMs` is below the time other processes wait for the lock: a stuck work fails alone. */
const LIMITS: GroupCommitLimits = {
  queued: 4_096,
  batchWorks: 512,
  batchMs: 10,
  workMs: 2_000,
  lockMs: BUSY_TIMEOUT_MS,
}

/**
 * The embedded store: a SQLite file of its own for each name, `<folder>/<name>.db`, through node:sqlite. One connection
 * writes and one reads, so that `db` never waits for a transaction; transactions share commits (see GroupCommit). A third, in a
 * thread of its own, is opened for the first of the `longReads`.
 * Several processes may have the same file open. Foreign keys are checked at once; don't declare them deferred, or one
 * that is broken fails everybody in its commit.
 *
 * `open` throws DriverError: `invalid` for a wrong URL or name or a broken migration, `unavailable`, `full`.
 */
export const sqlite: StoreDriver = {
  scheme: 'sqlite:',
  checkUrl: wantUrl,
  async snapshot(place) {
    wantPlace(place)
    return readFile(new SqliteFile(place.folder, place.name))
  },
  async open<DB>(options: StoreOptions): Promise<Store<DB>> {
    const { name, migrations } = options
    wantPlace(options)
    const store = openSound<DB>(options)
    try {
      await migrate(store, name, migrations)
      return store
    } catch (error) {
      await store.close()
      throw error
    }
  },
}

function wantUrl(url: string): void {
  if (url.toLowerCase() === 'sqlite:') return
  throw new DriverError('invalid', 'store: sqlite: takes nothing behind the colon; its file lies in the data folder')
}

/** Throws DriverError `invalid`. */
function wantPlace({ url, name }: StorePlace): void {
  wantUrl(url)
  if (!/^[A-Za-z0-9-]{1,64}$/.test(name)) {
    throw new DriverError('invalid', `store name ${JSON.stringify(name)}: want 1 to 64 letters, digits and -`)
  }
}

type Place = Pick<StoreOptions, 'folder' | 'name' | 'onDamaged'>

function openSound<DB>(place: Place): SqliteStore<DB> {
  try {
    return SqliteStore.open<DB>(place)
  } catch (error) {
    const { path } = new SqliteFile(place.folder, place.name)
    if (place.onDamaged === undefined || !isDamage(error)) throw withAdvice(error, path)
    place.onDamaged(leave(error, path))
    return SqliteStore.open<DB>(place)
  }
}

function leave(damage: DriverError, path: string): string {
  return setAside(damage, path, new Date(systemClock.now()))
}

class SqliteStore<DB> implements Store<DB> {
  readonly db: Kysely<DB>
  readonly longReads: Kysely<DB>
  readonly #place: Place
  readonly #file: SqliteFile
  readonly #reader: SqliteReader
  readonly #thread: SqliteThread
  readonly #writer: SqliteWriter
  readonly #commits: GroupCommit
  readonly #probe: WriteProbe
  readonly #callbacks = new CommitCallbacks<DB>()
  readonly #bells = new Bells()

  private constructor(place: Place, file: SqliteFile, writer: SqliteWriter, reader: SqliteReader) {
    this.#place = place
    this.#file = file
    this.#writer = writer
    this.#reader = reader
    this.#thread = new SqliteThread(file, place.name)
    this.#commits = new GroupCommit(writer, LIMITS, systemClock)
    this.#probe = new WriteProbe({
      folder: place.folder,
      clock: systemClock,
      // of no use to anybody else, and written also where it stays what it was
      write: () => this.transaction((trx) => sql`pragma user_version = 0`.execute(trx)),
    })
    this.db = readingKysely<DB>(reader, SQLITE_PARTS)
    this.longReads = readingKysely<DB>(this.#thread, SQLITE_PARTS)
  }

  static open<DB>(place: Place): SqliteStore<DB> {
    const { folder, name } = place
    const file = new SqliteFile(folder, name)
    const writer = new SqliteWriter(file, name)
    try {
      return new SqliteStore<DB>(place, file, writer, new SqliteReader(file, name))
    } catch (error) {
      writer.close()
      throw error
    }
  }

  get unsound(): Promise<DriverError> {
    const { soundness, path } = this.#file
    const { onDamaged } = this.#place
    return soundness.unsound.then((fault) => (onDamaged ? fault : withAdvice(fault, path)))
  }

  async transaction<T>(work: (trx: Transaction<DB>) => Promise<T>): Promise<T> {
    const { result, trx } = await this.#commits.submit(
      () => new WorkConnection(this.#writer),
      async (connection) => {
        const trx = workingTransaction<DB>(connection, SQLITE_PARTS)
        this.#callbacks.begin(trx)
        const result = await work(trx)
        connection.wantNoFault()
        return { result, trx }
      },
    )
    this.#reader.refresh()
    this.#callbacks.committed(trx)
    return result
  }

  afterCommit(trx: Transaction<DB>, callback: () => void): void {
    this.#callbacks.add(trx, callback)
  }

  ring(bell: string): void {
    this.#bells.ring(bell)
  }

  onRing(bell: string, callback: () => void): () => void {
    return this.#bells.onRing(bell, callback)
  }

  async check(signal: AbortSignal): Promise<void> {
    if (signal.aborted) {
      throw new DriverError('unavailable', `${this.#place.name} store: no time left to ask it`, {
        cause: signal.reason,
      })
    }
    this.#file.soundness.want()
    await sql`select 1 from sqlite_master limit 1`.execute(this.db)
  }

  checkWrites(): Promise<void> {
    return this.#probe.check()
  }

  async close(): Promise<void> {
    await this.#commits.close()
    await this.#thread.close()
    this.#reader.close()
    this.#writer.close()
    this.#leaveDamaged()
  }

  /** Sets a damaged file aside that can be made anew: the next start may not see what was found while it was open. */
  #leaveDamaged(): void {
    const { damage, isInPlace } = this.#file.soundness
    const { onDamaged } = this.#place
    if (damage && onDamaged && isInPlace) onDamaged(leave(damage, this.#file.path))
  }
}
