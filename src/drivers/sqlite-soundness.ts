import { randomUUID } from 'node:crypto'
import { existsSync, linkSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { DriverError } from './driver-error.ts'
import { makePrivateFile } from './private-folder.ts'
import { isCorrupt, primaryResult, RESULT } from './sqlite-results.ts'

/** Up to so many bytes a database is read through when it is opened: some 30 ms. */
const READ_THROUGH_BYTES = 16_777_216
/** What every database begins with. Of a shorter file SQLite may make a new one. */
const HEADER_BYTES = 100
/** Bytes that the write-ahead log has before each page of its own, and before the first (https://sqlite.org/fileformat2.html#walformat). */
const FRAME_HEADER_BYTES = 24
const LOG_HEADER_BYTES = 32
/** What lies beside a database while it is open, or after its process was killed. */
const BESIDE = ['-wal', '-shm'] as const

/**
 * Makes a database file (0600) when it is missing, and never an empty one, so that an empty file is one that was emptied: it is written
 * elsewhere and appears whole. Throws DriverError `damaged` for an empty file or little more, and what node:fs and node:sqlite throw.
 */
export function makeDatabaseFile(path: string): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size
  if (size !== undefined && size < HEADER_BYTES) throw damaged(path, size === 0 ? 'it is empty' : 'it ends too early')
  if (size !== undefined) return
  const fresh = `${path}.${randomUUID()}`
  try {
    makePrivateFile(fresh)
    const database = new DatabaseSync(fresh)
    database.exec('pragma journal_mode = wal')
    database.close()
    // the log of a file that is gone would be written into the new one
    for (const end of BESIDE) rmSync(path + end, { force: true })
    appear(fresh, path)
  } finally {
    for (const end of ['', ...BESIDE]) rmSync(fresh + end, { force: true })
  }
}

/** Whoever starts at the same moment may be quicker: his is as good. */
function appear(fresh: string, path: string): void {
  try {
    linkSync(fresh, path)
  } catch {
    if (!existsSync(path)) renameSync(fresh, path)
  }
}

/**
 * Throws DriverError `damaged` for an open database that isn't whole: a small one is read through, a large one looked at for its length.
 * Damage in the middle of a large one shows when it is touched.
 */
export function wantSound(database: DatabaseSync, path: string): void {
  try {
    const why = lengthFault(database, path) ?? contentFault(database, path)
    if (why !== undefined) throw damaged(path, why)
  } catch (fault) {
    throw asDamage(fault, path)
  }
}

/**
 * Reads a whole database through, indexes compared with their tables: a copy that nobody has open. Takes some 2 s a gigabyte. Throws DriverError
 * `damaged` for one that isn't whole, and what node:sqlite throws.
 */
export function wantWhole(path: string): void {
  // nobody else has it: so it needs no locks, and no log, which not every file system takes
  const database = new DatabaseSync(asUri(path, 'immutable=1'), { readOnly: true })
  try {
    const why = checkedBy(database, 'integrity_check(1)')
    if (why !== undefined) throw damaged(path, why)
  } catch (fault) {
    throw asDamage(fault, path)
  } finally {
    database.close()
  }
}

/** A file as SQLite's URI, with parameters of opening (https://sqlite.org/uri.html). */
export function asUri(path: string, parameters: string): URL {
  const uri = pathToFileURL(path)
  uri.search = parameters
  return uri
}

/** What opening a database threw; as DriverError `damaged` where it says that the file is. */
export function asDamage(fault: unknown, path: string): unknown {
  if (!isCorrupt(fault)) return fault
  const isNone = primaryResult(fault) === RESULT.NOTADB
  return damaged(path, isNone ? 'it is no SQLite database' : 'parts of it are missing or overwritten', fault)
}

function lengthFault(database: DatabaseSync, path: string): string | undefined {
  const pageSize = Number(database.prepare('pragma page_size').get()?.page_size)
  const pages = Number(database.prepare('pragma page_count').get()?.page_count)
  const log = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0
  const logged = Math.max(0, Math.floor((log - LOG_HEADER_BYTES) / (pageSize + FRAME_HEADER_BYTES)))
  const missing = pages - Math.floor(statSync(path).size / pageSize)
  return missing > logged ? `it ends too early, ${missing} of its ${pages} pages are missing` : undefined
}

function contentFault(database: DatabaseSync, path: string): string | undefined {
  return statSync(path).size > READ_THROUGH_BYTES ? undefined : checkedBy(database, 'quick_check(1)')
}

/** What is wrong in a database. */
function checkedBy(database: DatabaseSync, pragma: string): string | undefined {
  const [first] = Object.values(database.prepare(`pragma ${pragma}`).get() ?? {})
  return first === 'ok' ? undefined : String(first).replaceAll(/\s+/g, ' ')
}

function damaged(path: string, why: string, cause?: unknown): DriverError {
  return new DriverError('damaged', `${path} is damaged (${why})`, { cause })
}

/** True for a DriverError that says that the file is damaged. */
export function isDamage(fault: unknown): fault is DriverError {
  return fault instanceof DriverError && fault.kind === 'damaged'
}

/** What was thrown, and where that is damage, what to do about it: for whoever can't begin a new database. */
export function withAdvice<T>(fault: T, path: string): T | DriverError {
  if (!isDamage(fault)) return fault
  const name = basename(path)
  const advice = `put a copy back in its place, without ${name}-wal and ${name}-shm; what can still be read of this one is saved by: ${salvage(path)}`
  return new DriverError('damaged', `${fault.message}: ${advice}`, { cause: fault })
}

/** The command that reads what can be read of a damaged database (https://sqlite.org/recovery.html). */
function salvage(path: string): string {
  return `sqlite3 ${path} .recover | sqlite3 saved.db`
}

/**
 * Sets a damaged database aside, with what lies beside it, so that a new one can be made. Throws what node:fs throws.
 * @returns what became of it, for people
 */
export function setAside({ message }: DriverError, path: string, now: Date): string {
  const aside = `${path}.damaged-${now.toISOString().replaceAll(/[-:]|\.\d+/g, '')}`
  for (const end of [...BESIDE, '']) if (existsSync(path + end)) renameSync(path + end, aside + end)
  return `${message}: it is set aside, and a new one takes its place; what can still be read of it is saved by: ${salvage(aside)}`
}
