import type { FileSystem } from '../drivers/system/file-system.ts'
import type { SystemLimits } from '../drivers/system/limits.ts'

/** What was looked at, and what it came to. */
export interface Finding {
  /** `open files`. */
  readonly what: string
  readonly found: string
  /** `bad`: nothing runs well on it. `low`: enough for a try, and not for load. */
  readonly is: 'good' | 'low' | 'bad' | 'unknown'
  /** How to raise it, where it isn't good. */
  readonly remedy?: string
}

/** Sockets and files that a role of a platform under load has open: its connections (`limits.max_connections`, 10 000), as many onwards, and its own. */
const OPEN_FILES = 20_000
/** With less a role can't take the connections of a page that is loaded. */
const FEWEST_OPEN_FILES = 1_024
/** What `msvc up --in-process` takes, and a role of its own (docs/decisions/10). */
const LEAST_MEMORY = 128 * 2 ** 20
const MEMORY = 512 * 2 ** 20
const MEMORY_ALONE = 256 * 2 ** 20
/** A port of an outgoing connection rests a minute after it (TIME_WAIT): fewer end at some 250 new ones a second to one place. */
const OUTGOING_PORTS = 16_000
/** Beside the heap a role takes some 40 MiB: its code, its buffers, SQLite's pages. */
const HEAP_SHARE = 0.75
/** What of the memory the older part of the heap gets; the younger part is beside it. */
const OLD_SPACE_SHARE = 0.6
/** Clients that come at once, as after a restart, and wait to be taken. */
const BACKLOG = 1_024
const LEAST_FREE_BYTES = 64 * 2 ** 20
const FREE_BYTES = 2 ** 30

/** What the finding about where the data folder lies is called. */
export const FILE_SYSTEM = 'file system of the data folder'

const PERMANENT = 'in /etc/sysctl.d/msvc.conf for good'
/** How far what was written may lie ahead: a file server's clock is another one, milliseconds. */
const AHEAD_MS = 60_000

/** For whom it is judged, and where. */
export interface JudgeOptions {
  /** Whether for one role alone. Default false. */
  readonly alone?: boolean
  /** Whose words a remedy speaks. Default: this system's. */
  readonly platform?: NodeJS.Platform
}

/** What the system gives, judged by what a platform wants. */
export function limitFindings(
  { openFiles, memoryBytes, processors, outgoingPorts, backlog }: SystemLimits,
  { alone = false, platform = process.platform }: JudgeOptions = {},
): readonly Finding[] {
  const isWindows = platform === 'win32'
  const memory = alone ? MEMORY_ALONE : MEMORY
  const ports = outgoingPorts && outgoingPorts[1] - outgoingPorts[0] + 1
  return [
    judged('open files', openFiles, {
      ...{ low: OPEN_FILES, bad: FEWEST_OPEN_FILES },
      remedy: `ulimit -n ${OPEN_FILES} (LimitNOFILE= in a systemd unit, --ulimit nofile= in Docker)`,
    }),
    judged('memory', memoryBytes, {
      ...{ low: memory, bad: LEAST_MEMORY, print: bytes },
      remedy: `give ${bytes(memory)} ${isWindows ? 'to the machine' : '(--memory in Docker, resources.limits.memory in Kubernetes, MemoryMax= in systemd)'}${alone ? '' : ', or run with up: { in_process: true }'}`,
    }),
    judged('processors', processors, {
      ...{ low: 1, bad: 0.1 },
      remedy: `give ${isWindows ? 'the machine one at least' : 'it one at least (--cpus in Docker, resources.limits.cpu in Kubernetes, CPUQuota= in systemd)'}`,
    }),
    judged('outgoing ports', ports, {
      ...{ low: OUTGOING_PORTS, bad: 1_000 },
      remedy: `sysctl -w net.ipv4.ip_local_port_range="32768 60999", ${PERMANENT}`,
    }),
    judged('listen backlog', backlog, {
      ...{ low: BACKLOG, bad: 16 },
      remedy: `sysctl -w net.core.somaxconn=4096, ${PERMANENT}`,
    }),
  ]
}

/**
 * How far the engine lets its heap grow, judged by the memory there is. Node takes half of it and 256 MiB at least, so that where there is little the system
 * kills a process before it cleans up. Where the system can, `up` and `serve` bound it by themselves.
 * @param limitBytes the engine's own bound (`heap_size_limit`)
 */
export function heapFinding(limitBytes: number, memoryBytes: number, platform = process.platform): Finding {
  const finding = { what: 'heap', found: `up to ${bytes(limitBytes)} of ${bytes(memoryBytes)}` }
  if (fittingHeap(limitBytes, memoryBytes) === undefined) return { ...finding, is: 'good' }
  return {
    ...finding,
    is: 'low',
    remedy: `${platform === 'win32' ? 'set ' : ''}NODE_OPTIONS=--max-old-space-size-percentage=60 leaves room for what lies outside of it`,
  }
}

/** How large the older part of the engine's heap may become, MiB, where the engine by itself lets it outgrow the memory; undefined where it fits. */
export function fittingHeap(limitBytes: number, memoryBytes: number): number | undefined {
  return limitBytes <= memoryBytes * HEAP_SHARE ? undefined : Math.floor((memoryBytes * OLD_SPACE_SHARE) / 2 ** 20)
}

/** By what a clock is judged. */
export interface ClockEvidence {
  /** When something was written that lies there, by this machine's clock of then: what it is, and milliseconds since 1970. */
  readonly written: readonly { readonly what: string; readonly at: number }[]
  /** Machines whose clocks differ from this one so much that their tokens are refused: by how many milliseconds they are ahead. */
  readonly apart: readonly { readonly what: string; readonly aheadMs: number }[]
}

/** This machine's clock: it never goes back behind what was written by it, and those of machines that believe each other's tokens go together. @param now milliseconds since 1970 */
export function clockFinding(now: number, { written, apart }: ClockEvidence, platform = process.platform): Finding {
  const time = new Date(now).toISOString()
  const latest = written.toSorted((a, b) => b.at - a.at)[0]
  const [other] = apart
  const fault =
    latest && latest.at - now > AHEAD_MS
      ? `${spanOf(latest.at - now)} behind ${latest.what}`
      : other && `${spanOf(Math.abs(other.aheadMs))} ${other.aheadMs > 0 ? 'behind' : 'ahead of'} ${other.what}`
  if (fault === undefined) return { what: 'clock', found: time, is: 'good' }
  const cure = platform === 'win32' ? 'w32tm /resync' : 'timedatectl set-ntp true'
  return { what: 'clock', found: `${time}, ${fault}`, is: 'bad', remedy: `set it: ${cure}` }
}

/** What `msvc up` would listen on, and somebody else does. */
export interface TakenPort {
  readonly role: string
  readonly host: string
  readonly port: number
}

/** The ports that `msvc up` wants. @param taken those of them that it can't have */
export function portsFinding(taken: readonly TakenPort[]): Finding {
  const what = 'ports'
  if (taken.length === 0) return { what, found: 'free', is: 'good' }
  const found = taken.map(({ role, host, port }) => `${host}:${port} of ${role}`).join(', ')
  const remedy =
    'another program listens there: stop it, or give the role another port (up --port-offset moves all of them)'
  return { what, found: `taken: ${found}`, is: 'low', remedy }
}

/**
 * The data folder, judged by what embedded stores want: files that this machine alone has, as SQLite's locks don't hold elsewhere
 * (https://sqlite.org/howtocorrupt.html#_filesystems_with_broken_or_missing_lock_implementations), and room.
 * @param isEmbedded whether a database of the platform lies in it
 */
export function folderFindings({ name, isNetwork, freeBytes }: FileSystem, isEmbedded: boolean): readonly Finding[] {
  const what = FILE_SYSTEM
  const found = name ?? 'some kind of its own'
  const remedy =
    'put it on a disk of this machine (--data), or the databases on servers (store: postgres://…, bus: nats://…)'
  return [
    isNetwork && isEmbedded ? { what, found, is: 'bad', remedy } : { what, found, is: 'good' },
    judged('room in the data folder', freeBytes, {
      ...{ low: FREE_BYTES, bad: LEAST_FREE_BYTES, print: bytes },
      remedy: `make room: ${bytes(FREE_BYTES)} at least`,
    }),
  ]
}

interface Wanted {
  /** Below this it is low, and below `bad` bad. */
  readonly low: number
  readonly bad: number
  readonly remedy: string
  /** Default: digits. */
  readonly print?: (value: number) => string
}

function judged(what: string, value: number | undefined, { low, bad, remedy, print = plain }: Wanted): Finding {
  if (value === undefined) return { what, found: 'not told by this system', is: 'unknown' }
  const found = print(value)
  if (value >= low) return { what, found, is: 'good' }
  return { what, found, is: value < bad ? 'bad' : 'low', remedy }
}

function plain(value: number): string {
  return Number.isFinite(value) ? value.toLocaleString('en') : 'no limit'
}

function spanOf(ms: number): string {
  const seconds = Math.round(ms / 1_000)
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`
}

function bytes(value: number): string {
  const [size, unit] = value >= 2 ** 30 ? [value / 2 ** 30, 'GiB'] : [value / 2 ** 20, 'MiB']
  return `${Number(size.toFixed(1))} ${unit}`
}
