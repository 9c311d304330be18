import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { readRegularFile } from '../../drivers/regular-file.ts'
import { AppError } from '../errors.ts'
import { createPrivateFile, readPrivateFile, secureFolder, unreadableKeyFile } from './private-files.ts'

const KEY_BYTES = 32
/** Room for one in base64, and blank lines. */
const MAX_FILE_BYTES = 4_096

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

/**
 * Reads a 256-bit key from a file that the platform doesn't make, such as a mounted secret: 32 bytes as they are, as in `<data>/keys/*.key`, or in base64
 * (RFC 4648 §4, §5), as `openssl rand -base64 32` prints them. Its rights are whoever mounts it to choose.
 * Throws AppError `CONFIG_INVALID` for a file that can't be read, and for one that holds something else.
 */
export function readMountedKey(path: string): Uint8Array {
  const bytes = bytesOf(path)
  if (bytes.length === KEY_BYTES) return bytes
  const text = bytes.toString('latin1').trim()
  const key = /^[\w+/-]{43}=?$/.test(text) ? Buffer.from(text, 'base64') : undefined
  if (key?.length === KEY_BYTES) return key
  throw new AppError(
    'CONFIG_INVALID',
    `${path} is not a key of ${KEY_BYTES} bytes, nor one in base64; openssl rand -base64 ${KEY_BYTES} makes one`,
  )
}

function bytesOf(path: string): Buffer {
  try {
    return readRegularFile(path, MAX_FILE_BYTES)
  } catch (cause) {
    throw unreadableKeyFile(path, cause)
  }
}

/** Makes a key, or takes the one that another process was quicker to make. */
async function makeKey(path: string): Promise<Uint8Array | undefined> {
  const made = randomBytes(KEY_BYTES)
  return (await createPrivateFile(path, made)) ? made : readPrivateFile(path)
}
