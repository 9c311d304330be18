import { accessSync, chmodSync, constants, existsSync, lstatSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { makePrivateFolder } from '../drivers/private-folder.ts'
import { isSystemFault } from '../drivers/regular-file.ts'
import { AppError, messageOf } from './errors.ts'

/** Write, for the group or for others; and a folder that everybody puts things into, such as /tmp. */
const OTHERS_WRITE = 0o022
const STICKY = 0o1000
/** What a folder holds that msvc has used. */
const OURS =
  /^(?:keys|control\.sock|up\.log(?:\.1)?|migration\.json|cutover-[\w-]+\.json|run(?:-[^/]+)?\.json(?:\.new)?|[\w.-]+\.(?:lock|db(?:\.damaged-\w+)?(?:-wal|-shm|-journal)?))$/

/** What only a data folder holds, all of it. */
const ONLY_OURS = ['keys', 'known-instances.json']

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
 * Whether a file or folder with a mode can be read, written or entered by the group or by others. On Windows, where every mode says so and none means anything, its
 * folder decides: see `secureFolder`.
 */
export function isOpenToOthers(mode: number, platform: NodeJS.Platform = process.platform): boolean {
  return platform !== 'win32' && (mode & 0o077) !== 0
}

/**
 * Makes the data folder (0700) when it is missing, and closes one that others can look into, and what msvc keeps in it: it holds what every service
 * keeps. Only a folder that is empty, or that was a data folder before, is closed by itself.
 * Throws AppError `CONFIG_INVALID` when it can't be made, would be made in another data folder, is another user's (root gets no exception: its owner could change what root runs on), or
 * is open to others and not plainly ours.
 */
export function openDataFolder(path: string): void {
  refuseNested(path)
  try {
    makePrivateFolder(path)
  } catch (cause) {
    throw new AppError(
      'CONFIG_INVALID',
      `The data folder ${path} can't be made: ${whyUnwritten(cause)}; choose another with --data`,
      { cause },
    )
  }
  const { mode, uid } = statSync(path)
  if (!isOurs(uid)) {
    throw new AppError(
      'CONFIG_INVALID',
      `The data folder ${path} belongs to another user; run msvc as that user, or choose another with --data`,
    )
  }
  const isClosed = !isOpenToOthers(mode) || (mayClose(path, mode) && close(path, 0o700))
  if (!isClosed) {
    throw new AppError(
      'CONFIG_INVALID',
      `Other users can get at the folder ${path}, which isn't plainly msvc's own; choose another data folder with --data`,
    )
  }
  closeFiles(path)
}

/** Images of before kept in `/data` itself what is in `/data/msvc` now: a volume of theirs must not look empty. */
function refuseNested(path: string): void {
  const above = dirname(path)
  if (existsSync(path) || !ONLY_OURS.every((name) => existsSync(join(above, name)))) return
  throw new AppError(
    'CONFIG_INVALID',
    `The data folder ${path} would be a new one in another, ${above}: to go on with that, name it with --data or MSVC_DATA`,
  )
}

/** Throws AppError `CONFIG_INVALID` for a data folder that can't be written to, before anything tries. */
export function wantWritable(path: string): void {
  try {
    accessSync(path, constants.W_OK | constants.X_OK)
  } catch (cause) {
    throw new AppError(
      'CONFIG_INVALID',
      `The data folder ${path} can't be written to: ${whyUnwritten(cause)}; choose another with --data`,
      { cause },
    )
  }
}

/** Why something can't be written, by what the system said, in words. */
export function whyUnwritten(fault: unknown): string {
  if (!isSystemFault(fault)) return messageOf(fault)
  return REASONS[fault.code] ?? fault.code
}

function mayClose(path: string, mode: number): boolean {
  if ((mode & STICKY) !== 0) return false
  const held = readdirSync(path)
  return held.length === 0 || ((mode & OTHERS_WRITE) === 0 && held.some((name) => OURS.test(name)))
}

/** Databases and run states, from whatever time or tool left them open. Not the keys: an open one may be known, and is refused. */
function closeFiles(folder: string): void {
  for (const name of readdirSync(folder).filter((name) => OURS.test(name))) {
    const path = join(folder, name)
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (!found || found.isSymbolicLink()) continue
    if (!isOurs(found.uid)) {
      throw new AppError(
        'CONFIG_INVALID',
        `${path} belongs to another user; move it away, or choose another folder with --data`,
      )
    }
    if (found.isFile() && isOpenToOthers(found.mode)) close(path, 0o600)
  }
}

/** Whether this process's user is the owner; systems without owners have none but ours. */
function isOurs(uid: number): boolean {
  return (process.geteuid?.() ?? uid) === uid
}

/** False when it belongs to somebody else, or is gone. */
function close(path: string, mode: number): boolean {
  try {
    chmodSync(path, mode)
    return true
  } catch {
    return false
  }
}
