import { chmodSync, readdirSync, statSync } from 'node:fs'
import { makePrivateFolder } from '../drivers/private-folder.ts'
import { AppError } from './errors.ts'

/** Read, write or enter, for the group or for others. */
const OTHERS = 0o077
/** Write, for the group or for others; and a folder that everybody puts things into, such as /tmp. */
const OTHERS_WRITE = 0o022
const STICKY = 0o1000
/** What a folder holds that msvc has used. */
const OURS = /^(?:keys|run\.json|[A-Za-z0-9-]+\.db)$/

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EEXIST: 'something that is no folder stands in its way',
  ENOTDIR: 'something that is no folder stands in its way',
  ENOENT: 'nothing can be made there',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk is full',
  ELOOP: 'links lead in a circle',
  ENAMETOOLONG: 'the name is too long',
}

/**
 * Makes the data folder (0700) when it is missing, and closes one that others can look into: it holds what every service keeps. Only a folder
 * that is empty, or that was a data folder before, is closed by itself.
 * Throws AppError `CONFIG_INVALID` when it can't be made, or is open to others and not ours to close.
 */
export function openDataFolder(path: string): void {
  try {
    makePrivateFolder(path)
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
    const why = REASONS[code] ?? code
    throw new AppError('CONFIG_INVALID', `The data folder ${path} can't be made: ${why}; choose another with --data`, {
      cause,
    })
  }
  const { mode } = statSync(path)
  if ((mode & OTHERS) === 0 || (mayClose(path, mode) && close(path))) return
  throw new AppError(
    'CONFIG_INVALID',
    `Other users can get at the data folder ${path}; run: chmod 700 ${path}, or choose another with --data`,
  )
}

function mayClose(path: string, mode: number): boolean {
  if ((mode & STICKY) !== 0) return false
  const held = readdirSync(path)
  return held.length === 0 || ((mode & OTHERS_WRITE) === 0 && held.some((name) => OURS.test(name)))
}

/** False when it belongs to somebody else. */
function close(path: string): boolean {
  try {
    chmodSync(path, 0o700)
    return true
  } catch {
    return false
  }
}
