import { lstatSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isLocked, takeLock } from '../../drivers/file-lock.ts'

/** A folder that what is put together lies in until it is whole. */
export interface WorkFolder {
  readonly path: string
  /** Takes it away, with all that is in it. */
  remove(): Promise<void>
}

/** Its maker holds the lock of this file, so that a folder is known whose maker was killed. */
const LOCK = 'lock'
/** Within which a maker has taken its lock, milliseconds. */
const SOON_MS = 60_000

/**
 * Makes a folder of its own for its owner alone (0700), and takes away those that this user's killed processes have left beside it.
 * Throws what node:fs and node:sqlite throw.
 * @param prefix what all of its kind are called by: `.msvc-backup-`
 */
export async function makeWorkFolder(besides: string, prefix: string): Promise<WorkFolder> {
  await removeLeftBehind(besides, prefix)
  const path = await mkdtemp(join(besides, prefix))
  const lock = takeLock(join(path, LOCK))
  return {
    path,
    async remove() {
      lock?.release()
      await rm(path, { recursive: true, force: true })
    },
  }
}

async function removeLeftBehind(besides: string, prefix: string): Promise<void> {
  const names = await readdir(besides)
  for (const name of names.filter((each) => each.startsWith(prefix))) {
    const path = join(besides, name)
    if (isLeftBehind(path)) await rm(path, { recursive: true, force: true })
  }
}

function isLeftBehind(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (!found?.isDirectory() || found.uid !== (process.geteuid?.() ?? found.uid)) return false
  const lock = join(path, LOCK)
  const isMarked = lstatSync(lock, { throwIfNoEntry: false })?.isFile() ?? false
  return isMarked ? !isLocked(lock) : Date.now() - found.mtimeMs > SOON_MS
}
