import { closeSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { closeWindowsFolder } from './windows-rights.ts'

/**
 * Makes a folder for its owner alone (0700; on Windows by its access control list), and those above it, when it is missing; an existing one is left as it is.
 * Throws as `makeFolder` does.
 */
export function makePrivateFolder(path: string): void {
  makeFolder(path, 0o700)
}

/**
 * Makes a folder, and those above it, when it is missing; an existing one is left as it is. Throws what node:fs throws, at once: under a path where nothing can
 * be made, such as /proc, `mkdir` with `recursive` never ends.
 * @param mode its rights, of which the umask takes some
 */
export function makeFolder(path: string, mode: number): void {
  try {
    make(path, mode)
  } catch (fault) {
    if (codeOf(fault) === 'EEXIST' && isFolder(path)) return
    const above = dirname(path)
    if (codeOf(fault) !== 'ENOENT' || above === path || isFolder(above)) throw fault
    makeFolder(above, mode)
    makeIn(path, mode)
  }
}

/** Makes a file for its owner alone (0600) when it is missing, whatever the umask. Throws what node:fs throws. */
export function makePrivateFile(path: string): void {
  try {
    // Only ever a file of our own making: closing a file SQLite has open would drop its locks (POSIX advisory locking).
    closeSync(openSync(path, 'wx', 0o600))
  } catch (fault) {
    if (codeOf(fault) !== 'EEXIST') throw fault
  }
}

/** A process that starts at the same moment may be quicker. */
function makeIn(path: string, mode: number): void {
  try {
    make(path, mode)
  } catch (fault) {
    if (codeOf(fault) !== 'EEXIST' || !isFolder(path)) throw fault
  }
}

function make(path: string, mode: number): void {
  mkdirSync(path, mode)
  if (process.platform === 'win32' && (mode & 0o077) === 0) closeWindowsFolder(path)
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

function codeOf(fault: unknown): unknown {
  return fault instanceof Error && 'code' in fault ? fault.code : undefined
}
