import { DriverError, type DriverErrorKind } from '../driver-error.ts'
import { isCorrupt, isOutOfRoom, RESULT, resultCode } from '../sqlite-results.ts'

const CONSTRAINT_PRIMARYKEY = 1555
const CONSTRAINT_UNIQUE = 2067
const CONSTRAINT_ROWID = 2579
const TAKEN: ReadonlySet<number> = new Set([CONSTRAINT_PRIMARYKEY, CONSTRAINT_UNIQUE, CONSTRAINT_ROWID])

/** Results that say the statement is wrong. */
const WRONG: ReadonlySet<number> = new Set([
  RESULT.ERROR,
  RESULT.TOOBIG,
  RESULT.CONSTRAINT,
  RESULT.MISMATCH,
  RESULT.MISUSE,
  RESULT.AUTH,
  RESULT.RANGE,
])

const ADVICE: Readonly<Record<number, string>> = {
  [RESULT.PERM]: 'no permission for its file',
  [RESULT.BUSY]: 'another process holds its lock',
  [RESULT.IOERR]: 'the disk failed',
  [RESULT.CANTOPEN]: 'its file could not be opened; check the folder and its permissions',
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
  const [kind, message] = diagnose(error)
  return new DriverError(kind, `${store} store: ${message}`, { cause: error })
}

function diagnose(error: unknown): [DriverErrorKind, string] {
  if (!(error instanceof Error)) return ['unavailable', 'failed']
  if (isOutOfRoom(error)) return ['full', 'no room on the disk; what was acknowledged is safe']
  const code = resultCode(error)
  if (isCorrupt(error)) return ['damaged', `its file is damaged (SQLite result ${code})`]
  return code === undefined ? fromNode(error) : fromResult(code, error.message)
}

function fromResult(code: number, message: string): [DriverErrorKind, string] {
  const primary = code & 0xff
  if (TAKEN.has(code)) return ['conflict', `${message.replace(/^.*?: /, '')} is taken`]
  if (code === RESULT.READONLY) return ['invalid', 'this connection only reads; a write belongs in `transaction`']
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
    default:
      return ['unavailable', error.message]
  }
}
