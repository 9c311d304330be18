import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'
import { canonicalHost, isLoopbackName, refusedAddress, refusedHost } from './address-rule.ts'
import { defaultRouteInterface } from './default-route.ts'

/** A host and a port. */
export interface Place {
  readonly host: string
  readonly port: number
}

/** `host`, `host:port`, an IPv6 address bare or in brackets. */
const PARTS = /^(?:\[([0-9a-f:.]+)\]|([0-9a-f]*:[0-9a-f:.]*:[0-9a-f:.]*)|([^\s:/@[\]]+))(?::(\d{1,5}))?$/i

/** What is wrong with an address to be advertised; undefined when nothing is. */
export function advertiseFault(text: string): string | undefined {
  const [, bracketed, bare, name, port] = PARTS.exec(text) ?? []
  const host = bracketed ?? bare ?? name
  if (host === undefined) return 'neither a host nor host:port'
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535))
    return 'an address with a port that there is not'
  const refused = refusedHost((bracketed ?? bare) ? `[${host}]` : host)
  return refused === undefined ? undefined : `an address that is refused: ${refused}`
}

/** Where what listens on a host is reached from this machine: on every address, on the loopback one. */
export function reachedHere(host: string): string {
  return host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
}

/** The same for a role, which takes IPv4 on `::` too: by the loopback address that every machine has, while a container may have IPv6 switched off. */
export function roleReachedHere(host: string): string {
  return host === '::' ? '127.0.0.1' : reachedHere(host)
}

/**
 * Where others reach what listens here.
 * @param listens a wildcard host means every address of this machine
 * @param advertise `host` or `host:port`, where others reach it otherwise: through a NAT, a container's published port, by a name. Without a port, the
 *   one it listens on. Default: the address it listens on; for a wildcard the machine's first that is neither loopback nor link-local, that of the default
 *   route's interface before others, IPv4 before IPv6, and the loopback one where it has no other
 * @param interfaces the machine's addresses. Default: asked now
 * @param preferred the interface whose addresses come first. Default: that of the default route
 * @example advertisedPlace({ host: '0.0.0.0', port: 8001 }, 'shop.example:80') // { host: 'shop.example', port: 80 }
 */
export function advertisedPlace(
  listens: Place,
  advertise?: string,
  interfaces: NodeJS.Dict<NetworkInterfaceInfo[]> = networkInterfaces(),
  preferred?: string,
): Place {
  const { host, port } = listens
  if (advertise !== undefined) {
    const [, bracketed, bare, name = '', given] = PARTS.exec(advertise) ?? []
    return { host: canonicalHost(bracketed ?? bare ?? name), port: given === undefined ? port : Number(given) }
  }
  if (host !== '0.0.0.0' && host !== '::') return listens
  const leading = preferred ?? defaultRouteInterface()
  const outward = Object.entries(interfaces)
    .sort(([a], [b]) => Number(b === leading) - Number(a === leading))
    .flatMap(([, list]) => list ?? [])
    .filter(({ internal, address }) => !internal && refusedAddress(address) === undefined)
  const first = outward.find(({ family }) => family === 'IPv4') ?? (host === '::' ? outward[0] : undefined)
  return { host: first?.address ?? (host === '::' ? '::1' : '127.0.0.1'), port }
}

/**
 * Names the place where something listens: nobody else does there, and who is started again in its stead does too.
 * @param hostname this machine's. It stands for a loopback address, which every machine has; else it tells nothing, as machines made alike share one
 */
export function standingPlace(
  { host, port, advertise }: Place & { readonly advertise?: string | undefined },
  hostname: string,
): string {
  const place = advertisedPlace({ host, port }, advertise)
  return isLoopbackName(place.host) ? `${hostname}:${place.port}` : `${place.host}:${place.port}`
}

/** The same address for a replica that listens on another port: what stands for one port says nothing of the next. */
export function withoutPort(advertise: string): string {
  const [, bracketed, bare, name = ''] = PARTS.exec(advertise) ?? []
  return bracketed ?? bare ?? name
}
