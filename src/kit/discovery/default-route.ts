import { readFileSync } from 'node:fs'

/** The kernel's table of IPv4 routes (proc_pid_net(5)): the interface, and the destination in hexadecimal, in its first two columns. */
const TABLE = '/proc/net/route'
/** That of IPv6 routes: destination, length of its prefix, source and its length, next hop, metric, two counters, flags, and the interface. */
const TABLE_6 = '/proc/net/ipv6_route'
/** Of the flags: the route is usable, and doesn't refuse what comes its way (linux/route.h). */
const RTF_UP = 1
const RTF_REJECT = 0x200

/**
 * The interface by which this machine reaches what it has no route of its own for; undefined where it has none, or where that can't be told.
 * A container in several networks has an address in each, and internal networks lead nowhere else.
 * IPv4 counts before IPv6.
 * @param table the kernel's IPv4 routes. Default: read now
 * @param table6 its IPv6 routes. Default: read now
 */
export function defaultRouteInterface(table = readTable(TABLE), table6 = readTable(TABLE_6)): string | undefined {
  return first(routesOf(table)) ?? first(routes6Of(table6))
}

interface Route {
  readonly name: string | undefined
  readonly metric: number
}

function routesOf(table: string): readonly Route[] {
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'))
    .filter(([, destination, , flags, , , , mask]) => {
      return destination === '00000000' && mask === '00000000' && (Number.parseInt(flags ?? '', 16) & RTF_UP) !== 0
    })
    .map(([name, , , , , , metric]) => ({ name, metric: Number(metric) }))
}

function routes6Of(table: string): readonly Route[] {
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([destination, length, , , , , , , flags]) => {
      const bits = Number.parseInt(flags ?? '', 16)
      return /^0{32}$/.test(destination ?? '') && length === '00' && (bits & RTF_UP) !== 0 && (bits & RTF_REJECT) === 0
    })
    .map(([, , , , , metric, , , , name]) => ({ name, metric: Number.parseInt(metric ?? '', 16) }))
}

function first(routes: readonly Route[]): string | undefined {
  return routes.toSorted((a, b) => a.metric - b.metric)[0]?.name
}

function readTable(table: string): string {
  try {
    return readFileSync(table, 'latin1')
  } catch {
    // another system
    return ''
  }
}
