import { readFileSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { join } from 'node:path'

/** What the system gives this process. What it doesn't tell is absent: none of it is the same everywhere. */
export interface SystemLimits {
  /** Files and sockets that may be open. Node asks at its start for as many as it may have, so that this is all there are. */
  readonly openFiles?: number
  /** Memory in bytes: the least that any control group above this process may have, or else all there is. */
  readonly memoryBytes: number
  /** Processors; a control group may have a part of one. */
  readonly processors: number
  /** First and last port of outgoing connections. */
  readonly outgoingPorts?: readonly [first: number, last: number]
  /** Connections that may wait to be taken by a listener. */
  readonly backlog?: number
}

const UNLIMITED = 'unlimited'

/**
 * Reads what the system gives this process: on Linux from /proc and /sys (cgroup v2), elsewhere and by cgroup v1 what Node knows.
 * @param root where /proc and /sys are. Default `/`
 * @param bound bytes of memory that Node knows this process to be bound to; 0 where it knows of none. Default: asked now
 */
export function systemLimits(root = '/', bound = process.constrainedMemory()): SystemLimits {
  const text = (path: string) => read(join(root, path))
  const openFiles = openFilesOf(text('proc/self/limits'))
  const outgoingPorts = portsOf(text('proc/sys/net/ipv4/ip_local_port_range'))
  const backlog = numberOf(text('proc/sys/net/core/somaxconn'))
  const groups = groupFolders(text('proc/self/cgroup'))
  const memory = groups.flatMap((group) => numberOf(text(join('sys/fs/cgroup', group, 'memory.max'))) ?? [])
  const share = groups.flatMap((group) => shareOf(text(join('sys/fs/cgroup', group, 'cpu.max'))) ?? [])
  return {
    memoryBytes: Math.min(...memory, ...(bound > 0 ? [bound] : []), totalmem()),
    processors: Math.min(...share, availableParallelism()),
    ...(openFiles !== undefined && { openFiles }),
    ...(outgoingPorts && { outgoingPorts }),
    ...(backlog !== undefined && { backlog }),
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** `Max open files            1024                 524288               files` */
function openFilesOf(limits: string): SystemLimits['openFiles'] {
  const [, soft] = /^Max open files\s+(\d+|unlimited)/m.exec(limits) ?? []
  if (soft === undefined) return undefined
  return soft === UNLIMITED ? Number.POSITIVE_INFINITY : Number(soft)
}

function portsOf(range: string): SystemLimits['outgoingPorts'] {
  const [, first, last] = /^(\d+)\s+(\d+)/.exec(range) ?? []
  return first === undefined || last === undefined ? undefined : [Number(first), Number(last)]
}

/**
 * Where cgroup v2 has this process (`0::/user.slice/…`; in a container that is the root), and all groups above, each of which may bound it too
 * (https://docs.kernel.org/admin-guide/cgroup-v2.html#limits).
 */
function groupFolders(cgroup: string): readonly string[] {
  const names = (/^0::\/(.*)$/m.exec(cgroup)?.[1] ?? '').split('/').filter(Boolean)
  return Array.from({ length: names.length + 1 }, (_, depth) => names.slice(0, depth).join('/'))
}

/** `max` is none. */
function numberOf(text: string): number | undefined {
  return /^\d+\s*$/.test(text) ? Number(text) : undefined
}

/** `150000 100000`: so many of so many microseconds. */
function shareOf(text: string): number | undefined {
  const [, quota, period] = /^(\d+) (\d+)/.exec(text) ?? []
  return quota === undefined || period === undefined ? undefined : Number(quota) / Number(period)
}
