import { write } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { AppError } from '../../kit/errors.ts'

const writeSome = promisify(write)
/** How soon a pipe that is full is tried again where the system doesn't wait for it, milliseconds. */
const AGAIN_MS = 5

/**
 * Writes bytes to a file descriptor, and tells what becomes of them; a stream of the process would end it when its reader leaves. Rejects with
 * AppError `UNAVAILABLE` when nobody reads them any more, else with what node:fs throws.
 */
export async function writeAll(fd: number, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += (await writeSome(fd, bytes, at)).bytesWritten
    } catch (fault) {
      const code = fault instanceof Error && 'code' in fault ? fault.code : undefined
      if (code === 'EPIPE') throw new AppError('UNAVAILABLE', 'nobody reads stdout any more', { cause: fault })
      if (code !== 'EAGAIN') throw fault
      await sleep(AGAIN_MS)
    }
  }
}
