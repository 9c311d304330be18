import { closeSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { closeWindowsFolder } from './windows-rights.ts'

/**
 * Makes a folder for its owner alone (0700; on Windows by its access control list), and those above it, when it is missing; an existing one is left as it is.
 * Throws what node:fs throws, at once: under a path where nothing can be made, such as /proc, `mkdir` with `recursive` never ends.
 */
export function makePrivateFolder(path: string): void {
  try {
    make(path)
  } catch (fault) {
    if (codeOf(fault) === 'EEXIST' && isFolder(path)) return
    const above = dirname(path)
    if (codeOf(fault) !== 'ENOENT' || above === path || isFolder(above)) throw fault
    makePrivateFolder(above)
    makeIn(path)
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
function makeIn(path: string): void {
  try {
    make(path)
  } catch (fault) {
    if (codeOf(fault) !== 'EEXIST' || !isFolder(path)) throw fault
  }
}

function make(path: string): void {
  mkdirSync(path, 0o700)
  if (process.platform === 'win32') closeWindowsFolder(path)
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

function codeOf(fault: unknown): unknown {
  return fault instanceof Error && 'code' in fault ? fault.code : undefined
}
