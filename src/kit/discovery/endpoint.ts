import { canonicalHost, hostInUrl, urlFault } from './address-rule.ts'

/** Where a service is called: all that an address says, so that nobody keeps a part of it. TLS is what `https` means. */
export interface Endpoint {
  readonly scheme: 'http' | 'https'
  /** A name or an IP address as `canonicalHost` gives it. */
  readonly host: string
  readonly port: number
  /** What stands before every path, such as `/shop`; empty at the root. Has no slash at its end. */
  readonly basePath: string
}

const DEFAULT_PORTS = { http: 80, https: 443 } as const

/**
 * What is wrong with a list of addresses, separated by commas; undefined when nothing is. What would not be called as it is written is refused:
 * a query, which is each request's own, and a user name.
 * @example endpointsFault('https://bob:pw@shop.example/base') // 'a URL with a user name in it'
 */
export function endpointsFault(list: string): string | undefined {
  const addresses = addressesIn(list)
  if (addresses.length === 0) return 'empty'
  for (const address of addresses) {
    const fault = urlFault(address) ?? endpointFault(address)
    if (fault !== undefined) return fault
  }
  return undefined
}

function endpointFault(address: string): string | undefined {
  if (/^[^/]*\/\/[^/?]*@/.test(address)) return 'a URL with a user name in it'
  return address.includes('?') ? 'a URL with a query' : undefined
}

/** Reads the address of a service. Throws TypeError for what is no URL: check it with `endpointsFault` first. */
export function parseEndpoint(text: string): Endpoint {
  const { protocol, hostname, port, pathname } = new URL(text)
  const scheme = protocol === 'https:' ? 'https' : 'http'
  return {
    scheme,
    host: canonicalHost(hostname),
    port: port === '' ? DEFAULT_PORTS[scheme] : Number(port),
    basePath: pathname.replace(/\/+$/, ''),
  }
}

/** Reads a list of addresses, separated by commas. */
export function parseEndpoints(list: string): readonly Endpoint[] {
  return addressesIn(list).map(parseEndpoint)
}

function addressesIn(list: string): readonly string[] {
  return list.split(/ *, */).filter((address) => address !== '')
}

/** Host and port as a Host header has them (RFC 9110 §7.2): without the port where it is the scheme's own. */
export function authorityOf({ scheme, host, port }: Pick<Endpoint, 'scheme' | 'host' | 'port'>): string {
  return port === DEFAULT_PORTS[scheme] ? hostInUrl(host) : `${hostInUrl(host)}:${port}`
}

/**
 * An endpoint as a URL, to put a path behind.
 * @example printEndpoint({ host: '::1', port: 8001 }) // 'http://[::1]:8001'
 */
export function printEndpoint({ scheme = 'http', host, port, basePath = '' }: EndpointParts): string {
  return `${scheme}://${authorityOf({ scheme, host, port })}${basePath}`
}

/** Host and port say it all where HTTP at the root is meant. */
type EndpointParts = Pick<Endpoint, 'host' | 'port'> & Partial<Endpoint>
