import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'

/**
 * Opens a file to be read; undefined for a pipe, a device, a socket or a folder, which may hold nothing or never end. It never waits, as opening a pipe
 * without a writer otherwise does, beyond any signal. Throws what the system says.
 */
export function openRegularFile(path: string): number | undefined {
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  if (fstatSync(file).isFile()) return file
  closeSync(file)
  return undefined
}

/**
 * What a file holds. Throws what the system says, and an Error without a code for what is no regular file and for a larger one, in words such as `larger than
 * 4096 bytes`.
 * @param maxBytes most of it that is read
 */
export function readRegularFile(path: string, maxBytes: number): Buffer {
  const file = openRegularFile(path)
  if (file === undefined) throw new Error('not a regular file')
  try {
    // a file of /proc says that it has no size
    const bytes = Buffer.allocUnsafe(maxBytes + 1)
    let size = 0
    for (let read = -1; read !== 0 && size < bytes.length; size += read)
      read = readSync(file, bytes, size, bytes.length - size, null)
    if (size > maxBytes) throw new Error(`larger than ${maxBytes} bytes`)
    return Buffer.from(bytes.subarray(0, size))
  } finally {
    closeSync(file)
  }
}

/** Whether what was thrown is what the system says, such as `ENOENT`, and no word of `readRegularFile` itself. */
export function isSystemFault(thrown: unknown): thrown is NodeJS.ErrnoException & { readonly code: string } {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string'
}
