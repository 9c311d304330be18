import { rmSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { makePrivateFile } from './private-folder.ts'
import { isBusy } from './sqlite-results.ts'

/** Milliseconds for which somebody who only looks may be in the way. */
const PATIENCE_MS = 250

/** What is held is not to be collected as garbage, and the lock with it. */
const HELD = new Set<DatabaseSync>()

/** A lock that its process holds: it ends with the process, however that ends, and a copy of the file doesn't have it. */
export interface FileLock {
  /** Takes the file away and lets go. May be called twice. */
  release(): void
}

/**
 * Takes the lock of a file, which is made (0600) when it is missing; undefined while another process, or another taker in this one, holds it.
 * Node has no file locks of its own, so SQLite's are taken, on an empty database. Throws what node:fs or node:sqlite throws.
 */
export function takeLock(path: string): FileLock | undefined {
  for (;;) {
    makePrivateFile(path)
    const before = inodeOf(path)
    const database = new DatabaseSync(path, { timeout: PATIENCE_MS })
    try {
      // in memory: nothing is ever written, so that no journal has to stand beside it
      database.exec('pragma journal_mode = memory; begin exclusive')
    } catch (fault) {
      database.close()
      if (isBusy(fault)) return undefined
      throw fault
    }
    // whoever had it may have taken the file away meanwhile: this would be the lock of a file that nobody else finds
    if (before === undefined || before !== inodeOf(path)) {
      database.close()
      continue
    }
    HELD.add(database)
    return { release: () => release(database, path) }
  }
}

/** Whether anybody holds the lock of a file. */
export function isLocked(path: string): boolean {
  if (inodeOf(path) === undefined) return false
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path, { readOnly: true })
    database.prepare('select 1 from sqlite_master').get()
    return false
  } catch (fault) {
    return isBusy(fault)
  } finally {
    database?.close()
  }
}

function release(database: DatabaseSync, path: string): void {
  if (!HELD.delete(database)) return
  rmSync(path, { force: true })
  database.close()
}

function inodeOf(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino
}
