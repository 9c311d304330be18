import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'

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

/** What a file holds. Throws what the system says, and an Error for what is no regular file. */
export function readRegularFile(path: string): Buffer {
  const file = openRegularFile(path)
  if (file === undefined) throw new Error(`${path} is not a regular file`)
  try {
    return readFileSync(file)
  } finally {
    closeSync(file)
  }
}
