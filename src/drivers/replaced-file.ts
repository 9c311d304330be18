import { type FileHandle, open, rename, rm } from 'node:fs/promises'

/** How a file is replaced. */
export interface Replacing {
  /** Its rights, whatever the umask. Default: 0600, for its owner alone. */
  readonly mode?: number
  /** Whether it is forced to disk first, for what can't be made again. Default false. */
  readonly isForced?: boolean
}

/**
 * Writes a file in place of the one that was there: readers see the old text or the new one, never half of one. For one writer at a time: what is being written
 * stands beside it, with `.new` behind its name; what else has that name, such as a link, is taken away, never followed. Throws what node:fs throws; then the old
 * one stays, and nothing is left of the new one.
 */
export async function replaceFile(
  path: string,
  text: string,
  { mode = 0o600, isForced = false }: Replacing = {},
): Promise<void> {
  const fresh = `${path}.new`
  const file = await openFresh(fresh)
  try {
    try {
      await file.writeFile(text)
      // not before it is whole, and whatever the umask leaves
      await file.chmod(mode)
      if (isForced) await file.sync()
    } finally {
      await file.close()
    }
    await rename(fresh, path)
  } catch (fault) {
    await rm(fresh, { force: true }).catch(() => {})
    throw fault
  }
}

/** Makes a file for its owner alone where there is none: a link there would have another file written, and a pipe be waited for. */
async function openFresh(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o600)
  } catch (fault) {
    if (!(fault instanceof Error && 'code' in fault && fault.code === 'EEXIST')) throw fault
    await rm(path)
    return open(path, 'wx', 0o600)
  }
}
