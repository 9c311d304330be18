import { DriverError, type DriverErrorKind } from '../../driver-error.ts'
import { type PostgresAddress, serverName } from './address.ts'
import { READ_ONLY, serverFault } from './errors.ts'

const WRONG_PASSWORD = '28P01'
const NOT_LET_IN = '28000'
const NO_DATABASE = '3D000'
const NO_RIGHTS = '42501'
const TOO_MANY = '53300'
const STARTING = '57P03'

/** What node:net and node:dns say of a server that isn't there. */
const NOBODY: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing answers there: is PostgreSQL running, and is it this port?',
  ENOENT: 'there is no such socket: is PostgreSQL running?',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'its name could not be looked up; try again',
  EHOSTUNREACH: 'no way leads there',
  ENETUNREACH: 'no way leads there',
  ECONNRESET: 'it ended the connection; is that PostgreSQL?',
  ETIMEDOUT: 'it does not answer',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'its certificate is made out to another name: connect to that one, or use sslmode=verify-ca where names do not matter',
}

/** Of certificates: issued by nobody that is believed. */
const UNBELIEVED =
  /^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(?:VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT(?:_LOCALLY)?))$/

/**
 * Says in one line why a store could not be opened, and what to do about it; never the password.
 * @param error what opening threw, a DriverError mostly
 */
export function explainRefusal(error: unknown, address: PostgresAddress, store: string): unknown {
  const cause = rootOf(error)
  const found = fromServer(cause, store) ?? fromNetwork(cause, address)
  if (!found) return error
  const [kind, why] = found
  return new DriverError(kind, `${store} store: PostgreSQL at ${serverName(address)}: ${why}`, { cause: error })
}

function fromServer(cause: unknown, store: string): readonly [DriverErrorKind, string] | undefined {
  const fault = serverFault(cause)
  /** The user or the database that it speaks of. */
  const [, named = ''] = /"(.*)"/s.exec(fault?.message ?? '') ?? []
  switch (fault?.code) {
    case WRONG_PASSWORD:
      return ['invalid', `it refuses the password of the user "${named}"; correct that in store (DATABASE_URL)`]
    case NOT_LET_IN:
      return ['invalid', `it does not let this user in from here: ${fault.message}; see its pg_hba.conf`]
    case NO_DATABASE:
      return [
        'invalid',
        `it has no database "${named}"; make it (createdb ${asWord(named)}), or name another in store (DATABASE_URL)`,
      ]
    case NO_RIGHTS:
      return [
        'invalid',
        `${fault.message}: this user needs a schema of its own there; as the owner: create schema "${store}" authorization …`,
      ]
    case TOO_MANY:
      return [
        'unavailable',
        `${fault.message}; raise its max_connections, or lower pool_max_conns in store (DATABASE_URL)`,
      ]
    case READ_ONLY:
      return [
        'unavailable',
        'it only reads: it is a standby, or was told to (default_transaction_read_only); name the primary in store (DATABASE_URL), or let it write',
      ]
    case STARTING:
      return ['unavailable', `${fault.message}; try again in a moment`]
    default:
      return undefined
  }
}

/** A name as a word of a shell. */
function asWord(name: string): string {
  return /^[\w.-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`
}

function fromNetwork(
  cause: unknown,
  { tls, connectMs }: PostgresAddress,
): readonly [DriverErrorKind, string] | undefined {
  if (!(cause instanceof Error)) return undefined
  const { message } = cause
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : ''
  if (NOBODY[code] !== undefined) return ['unavailable', NOBODY[code]]
  if (UNBELIEVED.test(code)) {
    return [
      'invalid',
      'its certificate is issued by nobody that is believed here; name the file of its CA with sslrootcert',
    ]
  }
  if (message.includes('does not support SSL')) {
    return [
      'invalid',
      `it has no TLS, which sslmode=${tls.mode} wants; turn it on there (ssl = on), or choose sslmode=disable`,
    ]
  }
  if (message.startsWith('timeout expired')) return ['unavailable', `it does not answer within ${connectMs / 1_000} s`]
  if (message.startsWith('SASL') || message.includes('password must be')) {
    return ['invalid', 'it wants a password, and store (DATABASE_URL) has none']
  }
  return undefined
}

/** The first of a chain of causes. */
function rootOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? rootOf(error.cause) : error
}
