import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import { BlockList, isIP, isIPv4, isIPv6, type LookupFunction } from 'node:net'

/**
 * Addresses that no instance, health check or push endpoint may have: a caller who names them would make a server of the platform talk to
 * the machine's cloud metadata service or to a whole network. Loopback and private addresses are where services live, and are fine.
 */
const FORBIDDEN: readonly (readonly [why: string, prefix: string, bits: number])[] = [
  ['unspecified', '0.0.0.0', 8],
  ['link-local', '169.254.0.0', 16],
  ['multicast', '224.0.0.0', 4],
  ['reserved', '240.0.0.0', 4],
  ['cloud metadata', '100.100.100.200', 32],
  ['cloud metadata', '168.63.129.16', 32],
  ['cloud metadata', '192.0.0.192', 32],
  ['unspecified', '::', 128],
  ['link-local', 'fe80::', 10],
  ['site-local', 'fec0::', 10],
  ['multicast', 'ff00::', 8],
  // EC2's own network: metadata (::254), the credentials of pods (::23), names, time
  ['cloud metadata', 'fd00:ec2::', 32],
  ['cloud metadata', 'fd20:ce::', 32], // Google
  ['cloud metadata', 'fd00:c1::a9fe:a9fe', 128], // Oracle
  ['cloud metadata', 'fd00:42::42', 128], // Scaleway
  // an IPv4 address in IPv6 clothes goes where the IPv4 address goes, past rules that look at the IPv4 form only
  ['a mapped IPv4 address', '::', 96],
  ['a mapped IPv4 address', '::ffff:0:0', 96],
  ['a mapped IPv4 address', '::ffff:0:0:0', 96],
  ['a mapped IPv4 address', '64:ff9b::', 96],
  ['a mapped IPv4 address', '64:ff9b:1::', 48],
  ['a mapped IPv4 address', '2002::', 16],
  ['a mapped IPv4 address', '2001::', 32],
]

interface Range {
  readonly why: string
  readonly family: 'ipv4' | 'ipv6'
  readonly list: BlockList
}

let builtRanges: readonly Range[] | undefined

/** Built when first asked for: it takes 10 ms, which a process that checks no address need not spend. */
function ranges(): readonly Range[] {
  builtRanges ??= FORBIDDEN.map(([why, prefix, bits]) => {
    const family = prefix.includes(':') ? 'ipv6' : 'ipv4'
    const list = new BlockList()
    list.addSubnet(prefix, bits, family)
    return { why, family, list }
  })
  return builtRanges
}

/** Names that clouds give their metadata service, refused without asking DNS. */
const METADATA_NAMES: ReadonlySet<string> = new Set([
  'metadata.google.internal',
  'metadata.goog',
  'instance-data.ec2.internal',
])

/**
 * Why an IP address may not be connected to, such as `link-local`; undefined when it may.
 * @param address as Node writes it, without brackets
 */
export function refusedAddress(address: string): string | undefined {
  const number = isIP(address)
  if (number === 0) return 'not an IP address'
  if (address.includes('%')) return 'link-local'
  if (number === 6 && canonicalIpv6(address) === '::1') return undefined
  const family = number === 6 ? 'ipv6' : 'ipv4'
  // each range is asked for its own family only: BlockList takes an IPv4 address for the mapped IPv6 one
  return ranges().find((range) => range.family === family && range.list.check(address, family))?.why
}

/**
 * Why a host, a name or an IP address as a user wrote it, may not be connected to; undefined when it may. A name may still resolve to a
 * refused address: connect with `guardedLookup`. Refused besides the addresses: every spelling of an IPv4 address but the plain one
 * (`2130706433`, `0x7f.1`, `127.1`), since programs disagree about what those mean.
 * @example refusedHost('2130706433') // 'an odd spelling of an IP address'
 */
export function refusedHost(host: string): string | undefined {
  const bracketed = /^\[(.*)\]$/.exec(host)?.[1]
  if (bracketed !== undefined) return isIPv6(bracketed) ? refusedAddress(bracketed) : 'not a host'
  if (isIP(host) !== 0) return refusedAddress(host)
  if (host.length > 253 || !HOST_NAME.test(host)) return 'not a host'
  const name = host.toLowerCase().replace(/\.$/, '')
  const last = name.slice(name.lastIndexOf('.') + 1)
  if (NUMBER.test(last)) return 'an odd spelling of an IP address'
  return METADATA_NAMES.has(name) ? 'cloud metadata' : undefined
}

/** Labels of letters, digits, `-` and `_` (container names have them), and one dot at the end. */
const HOST_NAME = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i
/** WHATWG URL §3.5: a host whose last label is a number is an IPv4 address, whatever it looks like. */
const NUMBER = /^(?:\d+|0x[0-9a-f]*)$/

/**
 * What is wrong with the text of an http or https URL; undefined when nothing is. A parser drops tabs and line breaks, encodes spaces and letters
 * beyond ASCII, and keeps a fragment that is sent to nobody: what it would have to put right is refused, so that a URL is one text everywhere.
 */
export function urlFault(text: string): string | undefined {
  if (!/^[\x21-\x7e]+$/.test(text)) return 'a URL with a space, a control character or a letter beyond ASCII in it'
  if (!/^https?:\/\/[^/?#\\]+(?:[/?#][^\\]*)?$/i.test(text) || !URL.canParse(text)) return 'not an http or https URL'
  return text.includes('#') ? 'a URL with a fragment' : undefined
}

/**
 * Why a URL may not be called: a fault of its text, a user name in it, or a host that is refused; undefined when it may.
 * @example refusedUrl('http://[::ffff:a9fe:a9fe]/') // 'a mapped IPv4 address'
 */
export function refusedUrl(text: string): string | undefined {
  const fault = urlFault(text)
  if (fault !== undefined) return fault
  const { hostname, username, password } = new URL(text)
  if (username !== '' || password !== '' || /^[^/]*\/\/[^/?]*@/.test(text)) return 'a URL with a user name in it'
  const written = /\/\/([^/?]+)/.exec(text)?.[1] ?? ''
  const host = written.replace(/:\d*$/, '').toLowerCase()
  // the parser has put odd spellings right already: what it made of them decides, and that it had to is told
  const refused = refusedHost(hostname)
  if (refused !== undefined) return refused
  return host === hostname || host.startsWith('[') ? undefined : 'an odd spelling of a host'
}

/** A host as it is kept and compared: lower case, no brackets, no dot at the end. */
export function canonicalHost(host: string): string {
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  // the first look for IPv6 takes node 15 ms, which most processes never need
  return bare.includes(':') && isIPv6(bare) ? canonicalIpv6(bare) : bare.toLowerCase().replace(/\.$/, '')
}

/** A host as it stands in a URL: IPv6 in brackets. */
export function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

function canonicalIpv6(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1)
}

/** Thrown by `guardedLookup`, as a connection's error. */
class AddressRefused extends Error {
  override readonly name = 'AddressRefused'
  readonly code = 'EADDRREFUSED'

  constructor(host: string, address: string, why: string) {
    super(`${host} resolves to ${address}, which is ${why}: no connection is made to it`)
  }
}

/**
 * A `lookup` for `net.connect` and `http.request` that refuses the connection when the name resolves to a refused address, so that a name
 * which was fine when it was registered can't be moved later (DNS rebinding). Of several addresses any may come first, so that all replicas of one name are used. IP addresses aren't looked up: check those with `refusedHost`.
 * @example http.get(url, { lookup: guardedLookup })
 */
export const guardedLookup: LookupFunction = (host, options, callback) => {
  lookup(host, { ...options, all: true } satisfies LookupOptions, (error, addresses) => {
    if (error) return callback(error, '')
    const fault = refusalAmong(host, addresses)
    if (fault) return callback(fault, '')
    const spread = inTurn(addresses, Math.random())
    const [first] = spread
    if (options.all || !first) return callback(null, spread)
    callback(null, first.address, first.family)
  })
}

/**
 * The same addresses, beginning with another one of the family that the system prefers (RFC 6724); those of the other family stay behind.
 * @param at where it begins, in [0, 1)
 */
export function inTurn(addresses: readonly LookupAddress[], at: number): LookupAddress[] {
  const preferred = addresses.filter(({ family }) => family === addresses[0]?.family)
  const others = addresses.filter(({ family }) => family !== addresses[0]?.family)
  const first = Math.floor(at * preferred.length)
  return [...preferred.slice(first), ...preferred.slice(0, first), ...others]
}

function refusalAmong(host: string, addresses: readonly LookupAddress[]): AddressRefused | undefined {
  for (const { address } of addresses) {
    const why = refusedAddress(address)
    if (why !== undefined) return new AddressRefused(host, address, why)
  }
  return undefined
}

/**
 * Why a host may not be connected to, asking DNS what it means now; undefined when it may, or when DNS does not know it (yet).
 */
export function refusedOnceResolved(host: string): Promise<string | undefined> {
  const refused = refusedHost(host)
  if (refused !== undefined || isIP(canonicalHost(host)) !== 0) return Promise.resolve(refused)
  return new Promise((resolve) => {
    guardedLookup(host, { all: true }, (error) => {
      resolve(error instanceof AddressRefused ? error.message : undefined)
    })
  })
}

/** `localhost` and the names below it, complete ones with their dot too. */
const LOCALHOST = /^(?:[a-z0-9_-]+\.)*localhost\.?$/i

/**
 * Whether a name can only mean this machine (RFC 6761 §6.3, RFC 1122 §3.2.1.3). Odd spellings of an address, such as `127.1`, don't:
 * programs disagree about what they are.
 */
export function isLoopbackName(name: string): boolean {
  if (isIPv4(name)) return name.startsWith('127.')
  const bare = name.replace(/^\[(.*)\]$/, '$1')
  return isIPv6(bare) ? LOOPBACK_IPV6.test(bare) : LOCALHOST.test(name)
}

/** `::1`, however its zeros are written. */
const LOOPBACK_IPV6 = /^(?:0{0,4}:){1,7}0{0,3}1$/
