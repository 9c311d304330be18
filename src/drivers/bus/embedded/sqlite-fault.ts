import { DriverError } from '../../driver-error.ts'
import { isCorrupt, isOutOfRoom, primaryResult, RESULT } from '../../sqlite-results.ts'

/** Results that tell of the disk or the file, not of what was asked. */
const OF_THE_FILE: ReadonlySet<number> = new Set([
  RESULT.BUSY,
  RESULT.LOCKED,
  RESULT.NOMEM,
  RESULT.READONLY,
  RESULT.IOERR,
  RESULT.CORRUPT,
  RESULT.FULL,
  RESULT.CANTOPEN,
  RESULT.NOTADB,
])

/** Whether the file or its disk failed, so that trying parts of the same work again is pointless for now. */
export function isStorageFault(fault: unknown): boolean {
  const result = primaryResult(fault)
  return result !== undefined && OF_THE_FILE.has(result)
}

/** Any thrown thing as a DriverError: `full` when there was no room to write, `damaged`, else `unavailable`; a DriverError as it is. */
export function toDriverError(fault: unknown): DriverError {
  if (fault instanceof DriverError) return fault
  if (isOutOfRoom(fault)) {
    return new DriverError('full', 'no room to write bus.db: free some disk space, then try again', { cause: fault })
  }
  if (isCorrupt(fault)) return new DriverError('damaged', 'bus.db is damaged', { cause: fault })
  const reason = fault instanceof Error ? fault.message : String(fault)
  return new DriverError('unavailable', `bus.db failed: ${reason}`, { cause: fault })
}
