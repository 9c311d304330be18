import { DriverError, type DriverErrorKind } from '../driver-error.ts'

/** SQLite's primary result codes by name; an extended code has one of them in its low byte. https://sqlite.org/rescode.html */
const PERM = 3
const BUSY = 5
const READONLY = 8
const IOERR = 10
const CORRUPT = 11
const FULL = 13
const CANTOPEN = 14
const CONSTRAINT = 19
const NOTADB = 26

const CONSTRAINT_PRIMARYKEY = 1555
const CONSTRAINT_UNIQUE = 2067
const CONSTRAINT_ROWID = 2579
const TAKEN: ReadonlySet<number> = new Set([CONSTRAINT_PRIMARYKEY, CONSTRAINT_UNIQUE, CONSTRAINT_ROWID])

/**
 * SQLite calls only ENOSPC "full". A quota (EDQUOT) and a file-size limit (EFBIG) come as a write error, and a disk
 * without room for the index of the write-ahead log as one of size.
 */
const IOERR_WRITE = 778
const IOERR_SHMSIZE = 4874
const NO_ROOM: ReadonlySet<number> = new Set([FULL, IOERR_WRITE, IOERR_SHMSIZE])

/** Results that say the statement is wrong: ERROR, TOOBIG, CONSTRAINT, MISMATCH, MISUSE, AUTH, RANGE. */
const WRONG: ReadonlySet<number> = new Set([1, 18, CONSTRAINT, 20, 21, 23, 25])

const ADVICE: Readonly<Record<number, string>> = {
  [PERM]: 'no permission for its file',
  [BUSY]: 'another process holds its lock',
  [IOERR]: 'the disk failed',
  [CORRUPT]: 'its file is damaged; restore it from a copy',
  [CANTOPEN]: 'its file could not be opened; check the folder and its permissions',
  [NOTADB]: 'its file is not a SQLite database',
}

/**
 * Says in a driver's words what went wrong in SQLite or on the way to it. A broken unique constraint names its columns
 * and never the values, so that the message may be shown.
 *
 * @param error what node:sqlite or node:fs threw; a DriverError is given back as it is
 * @param store the store's name, for the message
 */
export function toDriverError(error: unknown, store: string): DriverError {
  if (error instanceof DriverError) return error
  if (!(error instanceof Error)) return new DriverError('unavailable', `${store} store: failed`, { cause: error })
  const [kind, message] = 'errcode' in error ? fromResult(Number(error.errcode), error.message) : fromNode(error)
  return new DriverError(kind, `${store} store: ${message}`, { cause: error })
}

/** True when SQLite could not have a lock because another connection holds it. */
export function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === BUSY
}

function fromResult(code: number, message: string): [DriverErrorKind, string] {
  const primary = code & 0xff
  if (TAKEN.has(code)) return ['conflict', `${message.replace(/^.*?: /, '')} is taken`]
  if (NO_ROOM.has(code)) return ['full', 'no room on the disk; what was acknowledged is safe']
  if (code === READONLY) return ['invalid', 'this connection only reads; a write belongs in `transaction`']
  if (WRONG.has(primary)) return ['invalid', message]
  return ['unavailable', `${ADVICE[primary] ?? message} (SQLite result ${code})`]
}

function fromNode(error: Error): [DriverErrorKind, string] {
  switch ('code' in error ? error.code : undefined) {
    case 'ERR_INVALID_STATE':
      return ['closed', 'it is closed']
    case 'ERR_INVALID_ARG_TYPE':
    case 'ERR_INVALID_ARG_VALUE':
    case 'ERR_OUT_OF_RANGE':
      return ['invalid', error.message]
    case 'ENOSPC':
    case 'EDQUOT':
      return ['full', 'no room on the disk']
    default:
      return ['unavailable', error.message]
  }
}
