import { readFileSync } from 'node:fs'

/** The kernel's table of IPv4 routes (proc_pid_net(5)): the interface, and the destination in hexadecimal, in its first two columns. */
const TABLE = '/proc/net/route'
/** Of the flags in its fourth column: the route is usable (linux/route.h). */
const RTF_UP = 1

/**
 * The interface by which this machine reaches what it has no route of its own for; undefined where it has none, or where that can't be told.
 * A container in several networks has an address in each, and internal networks lead nowhere else.
 * @param table the kernel's routes. Default: read now
 */
export function defaultRouteInterface(table = readTable()): string | undefined {
  const routes = table
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'))
    .filter(([, destination, , flags, , , , mask]) => {
      return destination === '00000000' && mask === '00000000' && (Number.parseInt(flags ?? '', 16) & RTF_UP) !== 0
    })
    .map(([name, , , , , , metric]) => ({ name, metric: Number(metric) }))
  return routes.sort((a, b) => a.metric - b.metric)[0]?.name
}

function readTable(): string {
  try {
    return readFileSync(TABLE, 'latin1')
  } catch {
    // another system
    return ''
  }
}
