import { DriverError } from '../../driver-error.ts'

/** Primary result codes (sqlite.org/rescode.html) that tell of the disk or the file, not of what was asked. */
const OF_THE_FILE: ReadonlySet<number> = new Set([
  5, // BUSY
  6, // LOCKED
  7, // NOMEM
  8, // READONLY
  10, // IOERR
  11, // CORRUPT
  13, // FULL
  14, // CANTOPEN
  26, // NOTADB
])
const BUSY = 5
const FULL = 13
/** A write the system refused for another reason than a full disk: nearly always a quota or a file-size limit. */
const IOERR_WRITE = 778

function resultCode(fault: unknown): number | undefined {
  return fault instanceof Error && 'errcode' in fault && typeof fault.errcode === 'number' ? fault.errcode : undefined
}

/** Whether another process holds the file. */
export function isBusy(fault: unknown): boolean {
  const code = resultCode(fault)
  return code !== undefined && (code & 0xff) === BUSY
}

/** Whether the file or its disk failed, so that trying parts of the same work again is pointless for now. */
export function isStorageFault(fault: unknown): boolean {
  const code = resultCode(fault)
  return code !== undefined && OF_THE_FILE.has(code & 0xff)
}

/** Any thrown thing as a DriverError: `full` when there was no room to write, else `unavailable`; a DriverError as it is. */
export function toDriverError(fault: unknown): DriverError {
  if (fault instanceof DriverError) return fault
  const code = resultCode(fault)
  if (code === FULL || code === IOERR_WRITE) {
    return new DriverError('full', 'no room to write bus.db: free some disk space, then try again', { cause: fault })
  }
  const reason = fault instanceof Error ? fault.message : String(fault)
  return new DriverError('unavailable', `bus.db failed: ${reason}`, { cause: fault })
}
