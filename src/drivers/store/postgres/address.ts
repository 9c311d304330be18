import { DriverError } from '../../driver-error.ts'
import { isSslMode, SSL_MODES, type TlsSettings } from './tls.ts'

/** Where a store is. */
export interface PostgresAddress {
  /** A name, an IP address, or the folder of a socket. */
  readonly host: string
  readonly port: number
  /** Of these, what the URL leaves open is as libpq has it: PGUSER, PGPASSWORD and PGDATABASE, or the user of this process. */
  readonly user: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
  readonly tls: TlsSettings
  /** Milliseconds until a server that doesn't answer counts as one that isn't there. */
  readonly connectMs: number
  /** Connections that a service may have open at the same time. */
  readonly connections: number
}

/** Stands for the service's name in a URL, where each has a database or a user of its own. */
const SERVICE = /\{service\}|%7Bservice%7D/gi

const DEFAULT_PORT = 5432
const DEFAULT_CONNECTIONS = 10
const DEFAULT_CONNECT_S = 3

/** What may stand behind the `?`, as libpq calls it, and pgx the last one. */
const PARAMETERS = [
  'host',
  'port',
  'user',
  'password',
  'dbname',
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'connect_timeout',
  'pool_max_conns',
]

/**
 * Reads a connection URI as libpq does (https://www.postgresql.org/docs/15/libpq-connect.html#LIBPQ-CONNSTRING), of one server; `{service}` in it is the
 * service's name. Throws DriverError `invalid` that never repeats the URL, which may hold a password.
 * @example parseAddress('postgres://shop:secret@db.example/shop?sslmode=verify-full', 'user-service')
 */
export function parseAddress(text: string, service: string): PostgresAddress {
  const url = URL.parse(text.replaceAll(SERVICE, service).replace(/^postgresql:/i, 'postgres:'))
  if (!url)
    throw wrong(
      'it is no URL; one is postgres://host:5432/database, with user:password and an @ before the host, in which @ : / % are written %40 %3A %2F %25',
    )
  const { searchParams: given } = url
  for (const name of given.keys()) {
    if (!PARAMETERS.includes(name))
      throw wrong(`the parameter ${JSON.stringify(name)} is not known; there are ${PARAMETERS.join(', ')}`)
  }
  if (/%00/.test(text)) throw wrong('a %00 stands in it, which PostgreSQL has in no name and no password')
  if (url.hash !== '') throw wrong('a # stands in it; in a password it is written %23')
  if (`${url.hostname}${given.get('host') ?? ''}`.includes(',')) throw wrong('it names one server, not several')
  return {
    host: given.get('host') || decoded(url.hostname, 'host').replace(/^\[(.*)\]$/, '$1') || '127.0.0.1',
    port: whole(given.get('port') ?? url.port, 'port', DEFAULT_PORT, 65_535),
    user: given.get('user') || decoded(url.username, 'user name') || undefined,
    password: given.get('password') || decoded(url.password, 'password') || undefined,
    database: given.get('dbname') || decoded(url.pathname.slice(1), 'database') || undefined,
    tls: tlsSettings(given),
    connectMs: whole(given.get('connect_timeout'), 'connect_timeout', DEFAULT_CONNECT_S, 60) * 1_000,
    connections: Math.max(3, whole(given.get('pool_max_conns'), 'pool_max_conns', DEFAULT_CONNECTIONS, 1_000)),
  }
}

/** The server, for messages: `db.example:5432`. */
export function serverName({ host, port }: PostgresAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

function tlsSettings(given: URLSearchParams): TlsSettings {
  const mode = given.get('sslmode') || 'prefer'
  if (!isSslMode(mode)) throw wrong(`sslmode is one of ${SSL_MODES.join(', ')}`)
  const file = (name: string) => given.get(name) || undefined
  return { mode, rootCert: file('sslrootcert'), cert: file('sslcert'), key: file('sslkey') }
}

function decoded(text: string, what: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw wrong(`a % stands in its ${what}; it is written %25`)
  }
}

function whole(text: string | null, what: string, otherwise: number, most: number): number {
  if (text === null || text === '') return otherwise
  const number = Number(text)
  if (!/^\d+$/.test(text) || number < 1 || number > most) throw wrong(`${what} is a number from 1 to ${most}`)
  return number
}

function wrong(why: string): DriverError {
  return new DriverError('invalid', `store: ${why}`)
}
