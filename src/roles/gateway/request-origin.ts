import type { IncomingHttpHeaders } from 'node:http'
import { BlockList, isIP, SocketAddress } from 'node:net'

/** Where a request comes from, as far as it can be believed. */
export interface RequestOrigin {
  /** Address of who asks: the client's, or that of the first proxy on the way that isn't trusted. */
  readonly address: string
  /** `address` and the trusted proxies after it, as in X-Forwarded-For. */
  readonly path: string
  readonly proto: 'http' | 'https'
  /** The Host that was asked for; absent only with HTTP/1.0. */
  readonly host: string | undefined
}

/** What of a request tells its origin: an IncomingMessage. */
interface Arrival {
  readonly socket: { readonly remoteAddress?: string | undefined }
  readonly headers: IncomingHttpHeaders
}

/** Proxies looked at on a request's way; who is named before them is not looked for. */
const MAX_PROXIES = 32
/** Longest entry that can be an address: IPv6 with a zone or a port. */
const MAX_ENTRY = 80
/** Addresses remembered, since few proxies and clients come again and again. */
const REMEMBERED = 1_024

/**
 * Makes the rule by which origins are told. X-Forwarded-For, -Proto and -Host are believed of trusted proxies alone: from the right, as each
 * proxy adds its peer there (MDN, "Selecting an IP address"), down to the first address that isn't trusted; that one asks. Of any other peer nothing is believed.
 * @param trusted addresses and CIDR networks, which `proxyFault` finds nothing wrong with
 */
export function originRule(trusted: readonly string[]): (arrival: Arrival) => RequestOrigin {
  if (trusted.length === 0) return direct
  const proxies = new BlockList()
  for (const network of trusted) addTo(proxies, network)
  const hops = new Map<string, Hop>()

  function hopOf(entry: string): Hop {
    const known = hops.get(entry)
    if (known) return known
    const address = parseAddress(entry)
    const hop = { address: address?.address, trusted: address !== undefined && proxies.check(address) }
    if (hops.size >= REMEMBERED) hops.clear()
    hops.set(entry, hop)
    return hop
  }

  return function originOf(arrival) {
    const { headers, socket } = arrival
    const peer = hopOf(socket.remoteAddress ?? '')
    if (!peer.trusted || peer.address === undefined) return direct(arrival)
    let { address } = peer
    let path = address
    for (const entry of lastEntries(headers['x-forwarded-for'])) {
      const hop = hopOf(entry)
      // "unknown", a pseudonym or nonsense: nobody is known beyond the proxy that said so
      if (hop.address === undefined) break
      address = hop.address
      path = `${address}, ${path}`
      if (!hop.trusted) break
    }
    const [proto = ''] = lastEntries(headers['x-forwarded-proto'])
    const [host = ''] = lastEntries(headers['x-forwarded-host'])
    return {
      address,
      path,
      proto: proto.toLowerCase() === 'https' ? 'https' : 'http',
      host: HOST.test(host) ? host : headers.host,
    }
  }
}

interface Hop {
  /** As it is written canonically; undefined when it is none. */
  readonly address: string | undefined
  readonly trusted: boolean
}

/** What is wrong with an entry of `trusted_proxies`; undefined when nothing is. */
export function proxyFault(network: string): string | undefined {
  const [, text = '', bits] = NETWORK.exec(network) ?? []
  const address = text.includes('%') ? undefined : parseAddress(text)
  if (!address || isIP(text) === 0) {
    return 'expected an address such as 10.0.0.5 or a network such as 10.0.0.0/8'
  }
  const most = address.family === 'ipv4' ? 32 : 128
  if (bits === undefined || (Number(bits) >= 1 && Number(bits) <= most)) return undefined
  return Number(bits) === 0 ? 'expected less than everybody' : `expected a length from /1 to /${most}`
}

function direct({ socket, headers }: Arrival): RequestOrigin {
  const address = socket.remoteAddress ?? ''
  return { address, path: address, proto: 'http', host: headers.host }
}

function addTo(proxies: BlockList, network: string): void {
  const [, text = '', bits] = NETWORK.exec(network) ?? []
  const address = parseAddress(text)
  if (!address) return
  if (bits === undefined) proxies.addAddress(address)
  else proxies.addSubnet(address, Number(bits))
}

/** The entries of a list from its end, as many as are looked at. */
function lastEntries(list: string | readonly string[] | undefined): readonly string[] {
  if (list === undefined) return []
  const text = typeof list === 'string' ? list : list.join(',')
  // the end is enough, however long the list is
  const end = text.slice(-MAX_PROXIES * MAX_ENTRY)
  return end
    .split(',')
    .reverse()
    .slice(0, MAX_PROXIES)
    .map((entry) => entry.trim())
}

/** An address as proxies write it: plain, in quotes, with a port, in brackets. IPv4 in IPv6's clothes is IPv4. */
function parseAddress(entry: string): SocketAddress | undefined {
  if (entry.length > MAX_ENTRY) return undefined
  const bare = entry.replace(/^"(.*)"$/, '$1')
  const [, bracketed, withPort] = WRITTEN.exec(bare) ?? []
  const text = (bracketed ?? withPort ?? bare).replace(/%.*$/, '')
  if (isIP(text) === 0) return undefined
  const { address } = new SocketAddress({ address: text, family: text.includes(':') ? 'ipv6' : 'ipv4' })
  const plain = address.replace(MAPPED, '')
  return new SocketAddress({ address: plain, family: plain.includes(':') ? 'ipv6' : 'ipv4' })
}

const NETWORK = /^([^/]+)(?:\/(\d{1,3}))?$/
/** `[::1]`, `[::1]:80`, `1.2.3.4:80`. */
const WRITTEN = /^(?:\[([^\]]+)\](?::\d{1,5})?|([\d.]+):\d{1,5})$/
const MAPPED = /^::ffff:(?=\d+\.)/i
const HOST = /^(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i
