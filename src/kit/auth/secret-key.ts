import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../errors.ts'

const KEY_BYTES = 32

/**
 * Reads a 256-bit key of the platform, `<folder>/<name>.key`, and makes it (0600, folder 0700) when there is none. Processes that ask for
 * a new one at the same moment agree on it: each writes its own and links it into place, which only the first can.
 * Throws AppError `CONFIG_INVALID` for a file that others may read, or of another length.
 */
export async function readSecretKey(folder: string, name: string): Promise<Uint8Array> {
  const path = join(folder, `${name}.key`)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await stat(path).catch(() => makeKey(folder, path))
  const { mode } = await stat(path)
  if ((mode & 0o077) !== 0)
    throw new AppError('CONFIG_INVALID', `Other users can read the key ${path}; run: chmod 600 ${path}`)
  const key = await readFile(path)
  if (key.length !== KEY_BYTES)
    throw new AppError('CONFIG_INVALID', `${path} is not a key of ${KEY_BYTES} bytes; restore it from your backup`)
  return key
}

async function makeKey(folder: string, path: string): Promise<void> {
  const temporary = join(folder, `.${randomBytes(8).toString('hex')}`)
  await writeFile(temporary, randomBytes(KEY_BYTES), { flag: 'wx', mode: 0o600, flush: true })
  try {
    await link(temporary, path)
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) throw cause
  } finally {
    await unlink(temporary)
  }
}
