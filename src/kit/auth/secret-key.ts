import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { AppError } from '../errors.ts'
import { createPrivateFile, readPrivateFile, secureFolder } from './private-files.ts'

const KEY_BYTES = 32

/**
 * Reads a 256-bit key of the platform, `<folder>/<name>.key`, and makes it (0600, folder 0700) when there is none. Processes that ask for
 * a new one at the same moment agree on it.
 * Throws AppError `CONFIG_INVALID` for a folder or file that others may read or write, and for a file of another length.
 */
export async function readSecretKey(folder: string, name: string): Promise<Uint8Array> {
  await secureFolder(folder)
  const path = join(folder, `${name}.key`)
  const key = (await readPrivateFile(path)) ?? (await makeKey(path))
  if (key?.length === KEY_BYTES) return key
  throw new AppError('CONFIG_INVALID', `${path} is not a key of ${KEY_BYTES} bytes; restore it from your backup`)
}

/** Makes a key, or takes the one that another process was quicker to make. */
async function makeKey(path: string): Promise<Uint8Array | undefined> {
  const made = randomBytes(KEY_BYTES)
  return (await createPrivateFile(path, made)) ? made : readPrivateFile(path)
}
