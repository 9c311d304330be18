import { backup, DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from './clock.ts'
import { DriverError } from './driver-error.ts'
import { makePrivateFile } from './private-folder.ts'
import { isBusy } from './sqlite-results.ts'
import { asDamage, asUri } from './sqlite-soundness.ts'

/** How an instant is taken. */
export interface InstantOptions {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly signal: AbortSignal
  /** Most milliseconds for which one try makes the writers wait. Default 250: what waits on them gives up after seconds. */
  readonly holdMs?: number
  /** Milliseconds after which it is given up, when some writer never lets go for long enough. Default 30 000. */
  readonly patienceMs?: number
}

/** Several databases as they were at one instant, whatever is written to them since. */
export interface Instant {
  /** Milliseconds for which the writers of all were made to wait. */
  readonly heldMs: number
  /** Bytes that a database had. @param path one of those that were asked for */
  size(path: string): number
  /**
   * Writes a database as it was into a new file (0600), on disk when this resolves. Throws DriverError `damaged`, what node:fs and node:sqlite
   * throw, and the signal's reason.
   * @param options.onCopied told from time to time what share is written, from 0 to 1
   */
  copy(path: string, target: string, options: CopyOptions): Promise<void>
  /** Lets the databases go on without it. May be called twice. */
  close(): void
}

/** How a database is copied. */
export interface CopyOptions {
  readonly signal: AbortSignal
  readonly onCopied?: (share: number) => void
}

const HOLD_MS = 250
const PATIENCE_MS = 30_000
/** Between two looks at a lock, which is free for less than a millisecond at a time where much is written. */
const LOOK_MS = 0.2
/** Between two tries, which lets those through who were held up. */
const RETRY_MS = 100
/** Pages copied at a time: 4 MB, some 5 ms. */
const PAGES = 1024

/** Both ends of a database: one that keeps others from writing, and one that keeps what it saw. */
interface Ends {
  readonly path: string
  readonly writer: DatabaseSync
  readonly reader: DatabaseSync
}

/**
 * Takes one instant of several SQLite databases that other processes write to, in write-ahead logs: what happens over several of them, such as a
 * message that is stored here and forgotten there, is in all of them or in none. It takes the write lock of each, in the order of their paths, so
 * that two who do the same never wait for each other; while it has all of them nothing is committed anywhere, and it opens a read transaction on each
 * (https://sqlite.org/isolation.html: a snapshot that stays until the transaction ends). Then the locks are let go: writers wait for some
 * milliseconds, however long the copying takes. Until `close`, the logs grow.
 * @param paths files that are there
 * @throws DriverError `unavailable` when a lock can't be had, `damaged`; what node:sqlite throws; the signal's reason
 */
export async function takeInstant(paths: readonly string[], options: InstantOptions): Promise<Instant> {
  const { clock, signal, holdMs = HOLD_MS, patienceMs = PATIENCE_MS } = options
  const ends: Ends[] = []
  const close = () => {
    for (const { reader, writer } of ends.splice(0)) {
      reader.close()
      writer.close()
    }
  }
  try {
    for (const path of [...paths].sort()) ends.push(openEnds(path))
    const until = clock.monotonic() + patienceMs
    for (;;) {
      signal.throwIfAborted()
      const since = clock.monotonic()
      const held = holdAll(ends, () => clock.monotonic() - since < holdMs)
      const heldMs = clock.monotonic() - since
      if (held === undefined) {
        const readers = new Map(ends.map(({ path, reader }) => [path, reader]))
        return { heldMs, size: (path) => sizeOf(readerOf(readers, path)), copy: copier(readers), close }
      }
      if (clock.monotonic() >= until) {
        throw new DriverError('unavailable', `${held} is locked by another process, which doesn't let go of it`)
      }
      await sleep(RETRY_MS, undefined, { signal })
    }
  } catch (fault) {
    close()
    throw fault
  }
}

function openEnds(path: string): Ends {
  const opened: DatabaseSync[] = []
  const open = (readOnly: boolean) => {
    const database = new DatabaseSync(path, { timeout: 0, readOnly })
    opened.push(database)
    // what is read of the schema now needn't be read while everybody waits
    database.prepare('select count(*) from sqlite_master').get()
    return database
  }
  try {
    return { path, writer: open(false), reader: open(true) }
  } catch (fault) {
    for (const database of opened) database.close()
    if (isBusy(fault)) throw lockedFault(path, fault)
    throw asDamage(fault, path)
  }
}

/** Whoever opens a database for himself alone lets nobody read it. */
function lockedFault(path: string, cause: unknown): DriverError {
  const advice = 'stop what has it open, which may be an older version of msvc'
  return new DriverError('unavailable', `${path} can't be read while another process has it for itself: ${advice}`, {
    cause,
  })
}

/** Opens a snapshot on every reader while nobody may write. Returns the path of the one whose lock could not be had, and opens none then. */
function holdAll(ends: readonly Ends[], goesOn: () => boolean): string | undefined {
  const held: DatabaseSync[] = []
  try {
    for (const { path, writer } of ends) {
      if (!lock(path, writer, goesOn)) return path
      held.push(writer)
    }
    for (const { reader } of ends) reader.exec('begin; select 1 from sqlite_master')
    return undefined
  } finally {
    for (const writer of held) writer.exec('rollback')
  }
}

function lock(path: string, writer: DatabaseSync, goesOn: () => boolean): boolean {
  for (;;) {
    try {
      writer.exec('begin immediate')
      return true
    } catch (fault) {
      if (!isBusy(fault)) throw asDamage(fault, path)
    }
    if (!goesOn()) return false
    Atomics.wait(STILL, 0, 0, LOOK_MS)
  }
}

/** What nobody ever wakes. */
const STILL = new Int32Array(new SharedArrayBuffer(4))

function readerOf(readers: ReadonlyMap<string, DatabaseSync>, path: string): DatabaseSync {
  const reader = readers.get(path)
  if (reader) return reader
  throw new DriverError('invalid', `${path} is none of the databases of this instant`)
}

function sizeOf(reader: DatabaseSync): number {
  const { page_count: pages } = reader.prepare('pragma page_count').get() ?? {}
  const { page_size: bytes } = reader.prepare('pragma page_size').get() ?? {}
  return Number(pages) * Number(bytes)
}

/** SQLite's online backup reads within the transaction that its source has open, and so copies what that saw. */
function copier(readers: ReadonlyMap<string, DatabaseSync>): Instant['copy'] {
  return async (path, target, { signal, onCopied }) => {
    signal.throwIfAborted()
    makePrivateFile(target)
    try {
      // nobody else has the copy: so it needs no locks, which not every file system has
      await backup(readerOf(readers, path), asUri(target, 'nolock=1'), {
        rate: PAGES,
        progress: ({ totalPages, remainingPages }) => {
          signal.throwIfAborted()
          onCopied?.(1 - remainingPages / totalPages)
        },
      })
    } catch (fault) {
      signal.throwIfAborted()
      throw asDamage(fault, path)
    }
  }
}
