import { rename, rm, writeFile } from 'node:fs/promises'

/**
 * Writes a file for its owner alone (0600) in place of the one that was there: readers see the old text or the new one, never half of one. It is not forced to
 * disk. For one writer at a time: what is being written stands beside it, with `.new` behind its name. Throws what node:fs throws; then the old one stays, and
 * nothing is left of the new one.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const fresh = `${path}.new`
  try {
    await writeFile(fresh, text, { mode: 0o600 })
    await rename(fresh, path)
  } catch (fault) {
    await rm(fresh, { force: true }).catch(() => {})
    throw fault
  }
}
