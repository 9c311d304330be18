import { isOutOfRoom } from '../../drivers/sqlite-results.ts'
import { AppError } from '../errors.ts'

/** What is left free, in bytes, on a disk that a platform may write to: the embedded bus refuses messages below it. */
export const LEAVE_BYTES = 50_000_000

/** A number of bytes for people: `3.2 MB`. */
export function megabytes(bytes: number): string {
  const size = bytes / 1_000_000
  return `${size < 10 ? size.toFixed(1) : Math.ceil(size)} MB`
}

/** What was thrown; as AppError `DISK_FULL` where a folder's disk had no room for what was written there. */
export function roomFault(fault: unknown, folder: string): unknown {
  if (!isOutOfRoom(fault)) return fault
  const message = `no room is left on the disk of ${folder}, and nothing was left there: free some, or name another place`
  return new AppError('DISK_FULL', message, { cause: fault })
}
