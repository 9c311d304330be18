import { DriverError } from '../../driver-error.ts'

/** A server as its URL names it. */
export interface Node {
  /** Without brackets. */
  readonly host: string
  readonly port: number
}

/** Name and password, each absent where the URL has none. */
export interface Login {
  readonly username?: string
  readonly password?: string
}

/** Where a Redis is, and how it is found. */
export interface RedisAddress {
  readonly at: 'server' | 'sentinel' | 'cluster'
  readonly tls: boolean
  /** The server, or the Sentinels or nodes of a cluster by which the others are found. At least one. */
  readonly nodes: readonly [Node, ...Node[]]
  readonly login: Login
  /** The number of the database; 0 in a cluster. */
  readonly database: number
  /** What the Sentinels call the servers they watch; empty without Sentinels. */
  readonly master: string
  /** How to log in at the Sentinels themselves. */
  readonly sentinelLogin: Login
  /** The address without what is secret, for messages. */
  readonly shown: string
}

const FORMS =
  'write redis://host:6379/0 (rediss:// for TLS), redis+sentinel://host1:26379,host2:26379/name or redis+cluster://host1:6379,host2:6379, each with user:password and an @ before the host where it wants them'

const URL_PARTS = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^/]*)@)?([^/?#@]+)((?:\/[^/?#]*)*)(?:\?([^#]*))?$/i
const NODE = /^(?:\[([0-9a-f:.]+)\]|([^\s[\]:]+))(?::(\d{1,5}))?$/i

/**
 * Reads the URL of a Redis: `redis://` one server, `redis+sentinel://` those that Sentinels watch under a name, `redis+cluster://` a cluster;
 * `rediss…` each over TLS. Throws DriverError `invalid`, whose message repeats nothing of the URL but a host, as it may hold a password.
 * @example parseRedisUrl('redis+sentinel://:secret@10.0.0.1,10.0.0.2:26380/main/2').master // 'main'
 */
export function parseRedisUrl(url: string): RedisAddress {
  const parts = URL_PARTS.exec(url)
  if (!parts) throw wrong('this is no URL of a Redis (percent-encode what is odd in a password)')
  const [, scheme = '', form = '', login, hosts = '', path = '', query = ''] = parts
  const at = form === '' ? 'server' : form.toLowerCase() === 'sentinel' ? 'sentinel' : 'cluster'
  const [first, ...others] = hosts.split(',').map((host) => readNode(host, at === 'sentinel' ? 26_379 : 6_379))
  if (!first) throw wrong('there is no host')
  if (at === 'server' && others.length > 0) throw wrong('several hosts are for Sentinels or a cluster')
  const segments = path.split('/').slice(1)
  const master = at === 'sentinel' ? decode(segments.shift() ?? '') : ''
  if (at === 'sentinel' && master === '') throw wrong('behind the Sentinels stands the name of what they watch')
  const [database = '', ...more] = segments
  if (!/^\d{0,4}$/.test(database) || more.length > 0) throw wrong('the path is the number of the database')
  if (at === 'cluster' && Number(database) > 0) throw wrong('a cluster has database 0 alone')
  return {
    at,
    tls: scheme.toLowerCase() === 'rediss',
    nodes: [first, ...others],
    login: readLogin(login),
    database: Number(database),
    master,
    sentinelLogin: readQuery(query, at),
    shown: url.slice(0, url.indexOf('//') + 2).toLowerCase() + hosts + path,
  }
}

function readNode(text: string, defaultPort: number): Node {
  const [, ipv6, name, port = String(defaultPort)] = NODE.exec(text) ?? []
  const host = ipv6 ?? name
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535)
    throw wrong('a host is host, host:port or [IPv6]:port')
  return { host, port: Number(port) }
}

function readLogin(text: string | undefined): Login {
  if (text === undefined || text === '') return {}
  const colon = text.indexOf(':')
  if (colon < 0) throw wrong('what stands before @ is user:password, or :password')
  const [username, password] = [decode(text.slice(0, colon)), decode(text.slice(colon + 1))]
  if (password === '') throw wrong('there is a user without a password')
  return { ...(username !== '' && { username }), password }
}

function readQuery(query: string, at: RedisAddress['at']): Login {
  const fields = new URLSearchParams(query)
  const unknown = [...fields.keys()].find((name) => at !== 'sentinel' || !SENTINEL_FIELDS.includes(name))
  if (unknown !== undefined) {
    throw wrong(
      at === 'sentinel'
        ? `only ${SENTINEL_FIELDS.join(' and ')} may stand behind the ?`
        : 'nothing may stand behind a ?',
    )
  }
  const [username, password] = SENTINEL_FIELDS.map((name) => fields.get(name) ?? '')
  return { ...(username && { username }), ...(password && { password }) }
}

/** How the Sentinels themselves are logged in at, where they want it. */
const SENTINEL_FIELDS: readonly string[] = ['sentinel_user', 'sentinel_password']

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw wrong('a % has no two digits of a byte behind it', cause)
  }
}

function wrong(what: string, cause?: unknown): DriverError {
  return new DriverError('invalid', `cache: ${what}; ${FORMS}`, { cause })
}
