import { existsSync, readdirSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type FileLock, takeLock } from '../../drivers/file-lock.ts'
import { AppError } from '../errors.ts'
import { syncFolder } from './archive-file.ts'
import { dataFiles, isInUse, LOCK } from './data-files.ts'

/** What `msvc up` holds, whatever it runs. */
const PLATFORM_LOCK = 'run.lock'

/** Why a folder can't be put in the place of another. */
const REASONS: Readonly<Record<string, string>> = {
  EBUSY: 'it is a mount point',
  EXDEV: 'it is a mount point',
  EACCES: 'this user may not write to the folder that holds it',
  EPERM: 'this user may not write to the folder that holds it',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'it, or what should hold it, is no folder',
}

/**
 * Throws AppError `CONFLICT` for a data folder in whose place none may be put: one that a platform runs on, and, without `force`, one that holds
 * something. One that isn't there will do.
 */
export function wantReplaceable(data: string, force: boolean): void {
  if (isInUse(data)) throw inUse(data)
  if (force || !holds(data)) return
  const advice = 'name another folder with --data, or say --force, which sets this one aside'
  throw new AppError('CONFLICT', `${data} holds something already: ${advice}`)
}

/**
 * Puts a folder in the place of a data folder, on which nothing is started meanwhile. Whoever looks sees the old one, none for an instant, or the new
 * one, never something between; when the new one can't be put there the old one is back.
 * @param aside what the old one is called from then on, if it holds anything
 * @returns whether it did
 * @throws AppError as `wantReplaceable` does, and `CONFIG_INVALID` where the file system doesn't let it
 */
export async function replaceFolder(
  data: string,
  fresh: string,
  { aside, force }: { readonly aside: string; readonly force: boolean },
): Promise<boolean> {
  const locks = holdFolder(data)
  let isAside = false
  try {
    const held = holds(data)
    if (held && !force) wantReplaceable(data, force)
    try {
      if (existsSync(data)) {
        await rename(data, aside)
        isAside = true
      }
      await rename(fresh, data)
    } catch (fault) {
      if (isAside) await rename(aside, data)
      isAside = false
      throw explained(fault, data)
    }
    await syncFolder(dirname(data))
    if (isAside && !held) await rm(aside, { recursive: true, force: true })
    return held
  } finally {
    for (const [name, lock] of locks) {
      // where the folder went it went along
      if (isAside) await rm(join(aside, name), { force: true })
      lock.release()
    }
  }
}

/** Takes every lock that a platform on a folder would take. Throws AppError `CONFLICT`, and holds none, when somebody has one. */
function holdFolder(data: string): ReadonlyMap<string, FileLock> {
  const locks = new Map<string, FileLock>()
  if (!existsSync(data)) return locks
  const ofDatabases = dataFiles(data).databases.map((name) => name.replace(/db$/, 'lock'))
  for (const name of new Set([PLATFORM_LOCK, ...ofDatabases, ...namesIn(data).filter((name) => LOCK.test(name))])) {
    const lock = takeLock(join(data, name))
    if (lock) {
      locks.set(name, lock)
      continue
    }
    for (const taken of locks.values()) taken.release()
    throw inUse(data)
  }
  return locks
}

/** Whether a folder holds anything but locks. */
function holds(folder: string): boolean {
  return existsSync(folder) && namesIn(folder).some((name) => !LOCK.test(name))
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch (fault) {
    throw explained(fault, folder)
  }
}

function inUse(data: string): AppError {
  return new AppError('CONFLICT', `a platform runs on ${data}: stop it, or name another folder with --data`)
}

function explained(fault: unknown, data: string): unknown {
  const why = REASONS[fault instanceof Error && 'code' in fault ? String(fault.code) : '']
  if (why === undefined) return fault
  const advice = 'restore to a folder within it, or elsewhere, with --data'
  return new AppError('CONFIG_INVALID', `${data} can't be replaced: ${why}; ${advice}`, { cause: fault })
}
