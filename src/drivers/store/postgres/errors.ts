import { DriverError, type DriverErrorKind } from '../../driver-error.ts'

/**
 * What a fault of PostgreSQL, or on the way to it, means for whoever met it. States are those of
 * https://www.postgresql.org/docs/15/errcodes-appendix.html.
 * - `conflicts`: with another transaction, as one after the other can't be; the whole work may run again.
 * - `lost`: the connection is of no use any more; another may be.
 * - `final`: the same would come again.
 */
export type FaultMeaning = 'conflicts' | 'lost' | 'final'

const SERIALIZATION_FAILURE = '40001'
const DEADLOCK = '40P01'
/** Of a connection that must not write. */
export const READ_ONLY = '25006'
const FEATURE_NOT_SUPPORTED = '0A000'
const UNIQUE_VIOLATION = '23505'
const DISK_FULL = '53100'
const TOO_MANY_CONNECTIONS = '53300'
const QUERY_CANCELED = '57014'
const LOCK_NOT_AVAILABLE = '55P03'
const NO_RIGHTS = '42501'

/** Classes of states that say nothing against the statement: resources, operators, the system below. */
const PASSING = /^(?:08|40|53|55|57|58)/
/** Shut down by an operator, crashed, starting, gone; idle within a transaction for too long. */
const ENDS_CONNECTION = /^(?:08...|57P0[1-5]|25P03)$/
/** A user, a password, a database that is not known. */
const REFUSED = /^(?:28|3D)/
const DAMAGED = /^XX00[12]$/

/** What node-postgres says without a state: of a connection that ended, and of a query that was not answered. */
const GONE =
  /^(?:Connection terminated|Client has encountered a connection error|Query read timeout|timeout expired|Client was closed)/

const ADVICE: Readonly<Record<string, string>> = {
  [DISK_FULL]: 'no room on its disk; what was acknowledged is safe',
  [QUERY_CANCELED]: 'a statement took too long and was ended',
  [LOCK_NOT_AVAILABLE]: 'a lock was held by others for too long',
  [SERIALIZATION_FAILURE]: 'too many change the same rows at once; try again',
  [DEADLOCK]: 'too many change the same rows at once; try again',
}

/** An error as the server words it. */
interface ServerFault {
  readonly code: string
  readonly severity: string
  readonly table?: string
  readonly constraint?: string
  readonly detail?: string
}

/** A server's own error, or undefined for another. */
export function serverFault(error: unknown): (Error & ServerFault) | undefined {
  return isServerFault(error) ? error : undefined
}

function isServerFault(error: unknown): error is Error & ServerFault {
  // node:net's errors have a code too, such as EPIPE, but nothing that they are severe by
  return error instanceof Error && 'severity' in error && 'code' in error && typeof error.code === 'string'
}

/** What a fault means; that of a DriverError is the meaning of its cause. */
export function meaningOf(thrown: unknown): FaultMeaning {
  const error = thrown instanceof DriverError ? thrown.cause : thrown
  const fault = serverFault(error)
  if (!fault) return isConnectionFault(error) ? 'lost' : 'final'
  if (fault.code === SERIALIZATION_FAILURE || fault.code === DEADLOCK) return 'conflicts'
  if (REFUSED.test(fault.code)) return 'final'
  // after a failover the connection may be with a server that only reads
  if (ENDS_CONNECTION.test(fault.code) || fault.severity === 'FATAL' || fault.severity === 'PANIC') return 'lost'
  if (fault.code === READ_ONLY) return 'lost'
  // the table of a prepared statement was changed by a newer version of the program
  return fault.code === FEATURE_NOT_SUPPORTED && fault.message.includes('cached plan') ? 'lost' : 'final'
}

function isConnectionFault(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return GONE.test(error.message) || ('code' in error && 'syscall' in error)
}

/**
 * Says in a driver's words what went wrong. A broken unique constraint names its columns and never the values, so that the message may be shown.
 * @param error what node-postgres threw; a DriverError is given back as it is
 * @param store the store's name, for the message
 */
export function toDriverError(error: unknown, store: string): DriverError {
  if (error instanceof DriverError) return error
  const [kind, message, told = message] = diagnose(error)
  return new DriverError(kind, `${store} store: ${message}`, { cause: error, told: `${store} store: ${told}` })
}

/** The kind, what is said of it, and what is told callers instead where that is the server's own words. */
function diagnose(error: unknown): readonly [DriverErrorKind, string, told?: string] {
  const fault = serverFault(error)
  if (!fault) {
    const message = error instanceof Error ? error.message : 'failed'
    return meaningOf(error) === 'lost' ? ['unavailable', 'its server went away'] : ['invalid', message]
  }
  const { code, message } = fault
  if (code === UNIQUE_VIOLATION) return ['conflict', `${takenColumns(fault)} is taken`]
  if (code === DISK_FULL) return ['full', ADVICE[code] ?? message]
  if (code === READ_ONLY) return ['unavailable', 'the server only reads: it is a standby, or was told to']
  if (DAMAGED.test(code)) {
    const what = 'the server says that its data is damaged'
    return ['damaged', `${what}: ${message}`, what]
  }
  if (code === NO_RIGHTS)
    return ['invalid', `${message}: its user has no right to that`, 'its user has no right to that']
  if (PASSING.test(code) || fault.severity !== 'ERROR' || meaningOf(fault) === 'lost') {
    return ['unavailable', `${ADVICE[code] ?? message} (SQLSTATE ${code})`, ADVICE[code] ?? outageOf(code)]
  }
  return ['invalid', message, 'the server refuses what it was asked']
}

/** What keeps a server from answering, without names. */
function outageOf(code: string): string {
  if (REFUSED.test(code)) return "its server can't be used: it refuses this service; try again later"
  if (code === TOO_MANY_CONNECTIONS) return "its server can't be used: all its connections are taken; try again"
  if (/^57P0/.test(code)) return "its server can't be used: it is starting, or stopping; try again"
  return "its server can't be used at the moment; try again"
}

/** `account.email` of "Key (email)=(a@example.com) already exists." */
function takenColumns({ table, constraint, detail = '' }: ServerFault): string {
  const columns = /^Key \((.+?)\)=/.exec(detail)?.[1]
  if (columns === undefined) return constraint ?? 'a unique value'
  return columns
    .split(', ')
    .map((column) => `${table}.${column}`)
    .join(', ')
}
