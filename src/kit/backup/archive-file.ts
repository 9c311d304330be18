import { existsSync } from 'node:fs'
import { link, open, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { AppError } from '../errors.ts'

/**
 * Writes a file that appears whole or not at all: in a folder on the same disk first, forced to disk, then put in its place.
 * @param options.work the folder; who made it clears it away
 * @param options.force whether it may take the place of another. Default false: then AppError `CONFLICT`
 * @param options.mode its rights, of which the umask takes some. Default 0o600, for its owner alone
 */
export async function writeWhole(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  { work, force = false, mode = 0o600 }: WholeOptions,
): Promise<void> {
  const fresh = join(work, 'archive')
  const file = await open(fresh, 'wx', mode)
  try {
    for await (const chunk of chunks) await file.writeFile(chunk)
    await file.sync()
  } finally {
    await file.close()
  }
  await (force ? rename(fresh, path) : appear(fresh, path))
  await syncFolder(dirname(path))
}

interface WholeOptions {
  readonly work: string
  readonly force?: boolean
  readonly mode?: number
}

/** Throws AppError `CONFLICT` for a file that is there already. */
export function wantAbsent(path: string): void {
  if (existsSync(path)) throw taken(path)
}

/** Forces the names in a folder to disk. */
export async function syncFolder(path: string): Promise<void> {
  // a folder can't be opened there, and NTFS keeps its names in a journal
  if (process.platform === 'win32') return
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

async function appear(fresh: string, path: string): Promise<void> {
  try {
    await link(fresh, path)
  } catch (fault) {
    const code = fault instanceof Error && 'code' in fault ? fault.code : undefined
    if (code === 'EEXIST') throw taken(path)
    // a file system without hard links
    wantAbsent(path)
    await rename(fresh, path)
  }
}

function taken(path: string): AppError {
  return new AppError('CONFLICT', `${path} is there already: name another file, or say --force to replace it`)
}
