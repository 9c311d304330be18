import { DriverError } from '../../driver-error.ts'

/** NATS's own port. */
const PORT = '4222'
const LAST_PORT = 65_535
/** What an id is known for by default, in seconds: as long as a server may be away while a publisher doesn't know whether it took his message. */
const DEDUP_S = 600

/** Where NATS is and how it is used, as a URL says it. */
export interface NatsAddress {
  /** `host:port`, each of one cluster. */
  readonly servers: readonly string[]
  /** Begins the names of all streams and subjects: buses of several names share a server. */
  readonly name: string
  readonly user?: string
  readonly password?: string
  readonly token?: string
  /** A credentials file (JWT and seed). */
  readonly credentials?: string
  /** Whether the connection has to be encrypted. */
  readonly tls: boolean
  /** PEM files: who signed the server's certificate, and one's own. */
  readonly tlsFiles: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string }
  /** Servers that keep each message. */
  readonly replicas: number
  /** Milliseconds for which a message id is known. */
  readonly dedupMs: number
}

const FORM = /^(nats|tls):\/\/(?:([^@/?#]*)@)?([^/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/i
const HOST = /^(?:\[[0-9a-f:.]+\]|[\p{L}\p{N}._-]+)(?::\d{1,5})?$/iu
const NAME = /^[A-Za-z0-9_-]{1,32}$/
const SETTINGS = ['replicas', 'dedup', 'creds', 'tls_ca', 'tls_cert', 'tls_key']

/**
 * Reads `nats://user:password@a:4222,b:4222/name?replicas=3`. `tls://` asks for encryption; a user without a password is a token. Settings:
 * `replicas` (1, 3 or 5; default 1), `dedup` (seconds, default 600), `creds`, `tls_ca`, `tls_cert`, `tls_key` (paths of files).
 * @throws DriverError `invalid`, without repeating what may be a secret.
 */
export function natsAddress(url: string): NatsAddress {
  const [, scheme = '', login, hosts = '', name = '', query = ''] = FORM.exec(withOneScheme(url)) ?? []
  if (scheme === '')
    throw wrong(
      'it looks like nats://host:4222, or nats://a:4222,b:4222/name?replicas=3, with user:password and an @ before the servers where they want them',
    )
  const settings = settingsOf(query)
  const files = {
    ...given('caFile', settings.get('tls_ca')),
    ...given('certFile', settings.get('tls_cert')),
    ...given('keyFile', settings.get('tls_key')),
  }
  if ((files.certFile === undefined) !== (files.keyFile === undefined))
    throw wrong('tls_cert and tls_key go together: the certificate shown to the server, and its key')
  return {
    servers: hosts.split(',').map(server),
    name: nameOf(name),
    ...loginOf(login),
    ...given('credentials', settings.get('creds')),
    tls: scheme.toLowerCase() === 'tls' || Object.keys(files).length > 0,
    tlsFiles: files,
    replicas: replicasOf(settings.get('replicas') ?? '1'),
    dedupMs: secondsOf(settings.get('dedup') ?? String(DEDUP_S)) * 1000,
  }
}

/** Each server of a list may have the scheme in front. */
function withOneScheme(url: string): string {
  return url.replaceAll(/,\s*(?:nats|tls):\/\//gi, ',')
}

function server(text: string): string {
  if (!HOST.test(text)) throw wrong('its servers are hosts with or without a port, with commas between them')
  const port = /(?:^|\]|[^:\]]):(\d+)$/.exec(text)?.[1]
  if (Number(port) > LAST_PORT) throw wrong(`a port is a number from 1 to ${LAST_PORT}`)
  return port === undefined ? `${text}:${PORT}` : text
}

function nameOf(name: string): string {
  if (name === '') return 'msvc'
  if (NAME.test(name)) return name
  throw wrong('its name, behind the slash, has letters, digits, "_" and "-", at most 32')
}

function loginOf(login: string | undefined): Pick<NatsAddress, 'user' | 'password' | 'token'> {
  if (login === undefined) return {}
  const at = login.indexOf(':')
  if (at < 0) return { token: decoded(login) }
  return { user: decoded(login.slice(0, at)), password: decoded(login.slice(at + 1)) }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw wrong('a % in its user or password has to be written as %25')
  }
}

function settingsOf(query: string): URLSearchParams {
  const settings = new URLSearchParams(query)
  const unknown = [...settings.keys()].find((key) => !SETTINGS.includes(key))
  if (unknown === undefined) return settings
  throw wrong(`it has a setting that there isn't; there are ${SETTINGS.join(', ')}`)
}

function replicasOf(text: string): number {
  if (/^[135]$/.test(text)) return Number(text)
  throw wrong('replicas is 1, 3 or 5')
}

function secondsOf(text: string): number {
  if (/^\d{1,6}$/.test(text) && Number(text) >= 120) return Number(text)
  throw wrong('dedup is a whole number of seconds, from 120')
}

function given<K extends string>(key: K, value: string | null): Partial<Record<K, string>> {
  return value === null ? {} : ({ [key]: value } as Record<K, string>)
}

function wrong(what: string): DriverError {
  return new DriverError('invalid', `bus: not a NATS URL that can be used: ${what}`)
}
