import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, link, open, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { makePrivateFolder } from '../../drivers/private-folder.ts'
import { isSystemFault } from '../../drivers/regular-file.ts'
import { closingCommand, isOpenOnWindows } from '../../drivers/windows-rights.ts'
import { isOpenToOthers, openDataFolder, whyUnwritten } from '../data-folder.ts'
import { AppError, messageOf } from '../errors.ts'

/**
 * Makes a folder for secrets (0700) in the data folder when it is missing. Throws AppError `CONFIG_INVALID` for one that other users can get
 * at, and for such a data folder.
 */
export async function secureFolder(folder: string): Promise<void> {
  openDataFolder(dirname(folder))
  try {
    makePrivateFolder(folder)
  } catch (cause) {
    throw new AppError('CONFIG_INVALID', `The folder ${folder} can't be made: ${whyUnwritten(cause)}`, { cause })
  }
  if (process.platform === 'win32') return secureOnWindows(folder)
  if (isOpenToOthers((await stat(folder)).mode)) {
    throw new AppError('CONFIG_INVALID', `Other users can get at the keys in ${folder}; run: chmod 700 ${folder}`)
  }
}

/** Asking takes half a second, and what is closed stays so for as long as this process runs. */
const closed = new Set<string>()

function secureOnWindows(folder: string): void {
  if (closed.has(folder)) return
  if (isOpenOnWindows(folder))
    throw new AppError('CONFIG_INVALID', `Other users can get at the keys in ${folder}; run: ${closingCommand(folder)}`)
  closed.add(folder)
}

/**
 * What a secret file holds; undefined when there is none. Throws AppError `CONFIG_INVALID` for one that other users can read or write,
 * and for a link.
 * @param from bytes at its beginning that are left out. Default 0
 */
export async function readPrivateFile(path: string, from = 0): Promise<Buffer | undefined> {
  const file = await openPrivate(path)
  if (!file) return undefined
  try {
    // Asked of the open file, so that nobody can swap it between the check and the reading.
    const found = await file.stat()
    if (!found.isFile()) throw new AppError('CONFIG_INVALID', `The key ${path} is not a file; move it away`)
    if (isOpenToOthers(found.mode)) {
      throw new AppError('CONFIG_INVALID', `Other users can read the key ${path}; run: chmod 600 ${path}`)
    }
    if (from === 0) return await file.readFile()
    const rest = Buffer.alloc(Math.max(0, found.size - from))
    const { bytesRead } = await file.read(rest, 0, rest.length, from)
    return rest.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

/** No link is followed, and a pipe without a writer is not waited for. Windows has neither of the two flags. */
const READING = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

async function openPrivate(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, READING)
  } catch (cause) {
    if (isCode(cause, 'ENOENT')) return undefined
    throw new AppError('CONFIG_INVALID', `The key ${path} can't be opened; it must be a file of this user`, { cause })
  }
}

/**
 * Makes a secret file (0600), on disk as a whole when this resolves. Of processes that try at the same moment one succeeds: each
 * writes a temporary file and links it into place, which only the first can.
 * @returns false when the file was there before; it is left as it is then
 */
export async function createPrivateFile(path: string, content: string | Uint8Array): Promise<boolean> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(8).toString('hex')}`)
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    try {
      await link(temporary, path)
      return true
    } finally {
      await unlink(temporary)
    }
  } catch (cause) {
    if (isCode(cause, 'EEXIST')) return false
    throw new AppError('CONFIG_INVALID', `The key ${path} can't be written: ${whyUnkept(path, cause)}`, { cause })
  }
}

function whyUnkept(path: string, fault: unknown): string {
  return isCode(fault, 'ENOENT')
    ? `there is no folder ${dirname(path)}; make it, or name another file`
    : whyUnwritten(fault)
}

/** The AppError for a key file that somebody else makes and that can't be read, or isn't one. @param fault what reading it threw */
export function unreadableKeyFile(path: string, fault: unknown): AppError {
  const why = isSystemFault(fault) ? `can't be read: ${messageOf(fault)}` : `is ${messageOf(fault)}`
  return new AppError('CONFIG_INVALID', `The key file ${path} ${why}`, { cause: fault })
}

/** Whether what was thrown is a fault of the system with this code, such as `ENOENT`. */
export function isCode(thrown: unknown, code: string): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === code
}
