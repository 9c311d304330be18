import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { AppError, messageOf } from '../errors.ts'

/**
 * Finds a port that nobody listens on. Another program may take it before it is used; for the one address that others must know
 * before its owner listens, that is the best there is.
 */
export async function freePort(host: string): Promise<number> {
  try {
    return await tryPort(host, 0)
  } catch (cause) {
    throw noPort(host, cause)
  }
}

/** Whether a port is taken by another program now. Rejects with AppError `START_FAILED` where too many files are open to find out. */
export async function isTaken(host: string, port: number): Promise<boolean> {
  try {
    await tryPort(host, port)
    return false
  } catch (fault) {
    if (isOutOfFiles(fault)) throw noPort(host, fault)
    return codeOf(fault) === 'EADDRINUSE'
  }
}

function noPort(host: string, cause: unknown): AppError {
  const advice = isOutOfFiles(cause) ? '; raise the limit of open files (ulimit -n)' : ''
  return new AppError('START_FAILED', `no free port on ${host}: ${messageOf(cause)}${advice}`, { cause })
}

const codeOf = (fault: unknown) => (fault instanceof Error && 'code' in fault ? fault.code : undefined)

/** Of this process, or of the machine. */
const isOutOfFiles = (fault: unknown) => codeOf(fault) === 'EMFILE' || codeOf(fault) === 'ENFILE'

/** Listens for a moment; resolves with the port. Rejects with the system's own error. */
function tryPort(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

/** Ports from the first up to the last, both included. */
export interface PortRange {
  readonly from: number
  readonly to: number
}

/** Where ports are looked for that are to stay free while their owner is away, but for those that the system gives to outgoing connections. */
const STEADY: PortRange = { from: 20_000, to: 31_999 }
/** Fewer than these aren't enough for the doors of many services. */
const ENOUGH = 4_000
const HIGHEST = 65_535
/** Ports that a process takes before it goes into the next room. */
const IN_ROOM = 120
/** How many are looked for at a time: each look holds a socket for a moment, and thousands may be asked for at once. */
const LANES = 32

/** A port by a name, the same each time it is asked for. */
export type KeptPorts = (name: string, host: string) => Promise<number>

/**
 * The ports that nobody is given by chance: below those that the system gives to outgoing connections, or above them where too few are below.
 * @param ephemeral what the system says of these (ip(7): ip_local_port_range), `32768\t60999`; undefined where it says nothing (macOS and Windows: from 49152 on)
 * @example steadyPorts('32768\t60999') // { from: 20_000, to: 31_999 }
 */
export function steadyPorts(ephemeral: string | undefined): PortRange {
  const [, low = HIGHEST, high = HIGHEST] = /^(\d+)\s+(\d+)/.exec(ephemeral ?? '')?.map(Number) ?? []
  if (low - STEADY.from >= ENOUGH) return { from: STEADY.from, to: Math.min(STEADY.to, low - 1) }
  // where hardly any are left, chance decides
  return HIGHEST - high >= ENOUGH ? { from: high + 1, to: HIGHEST } : STEADY
}

function systemsRange(): string | undefined {
  try {
    return readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1')
  } catch {
    return undefined
  }
}

/** What ports are chosen by. */
export interface KeptPortsOptions {
  /** Uniform in [0, 1). Default `Math.random` */
  readonly random?: () => number
  /** Where they are looked for. Default: what `steadyPorts` gives here */
  readonly range?: PortRange
}

/**
 * Makes a source of ports that nobody listens on, and that nobody is given by chance before their owner listens, or while it is started again: no two names get
 * the same, and processes that look at the same time begin in other rooms. When all of the range are taken, it gives what the system chooses.
 * @param pid this process's id, which chooses the room
 */
export function createKeptPorts(pid: number, options: KeptPortsOptions = {}): KeptPorts {
  const { random = Math.random, range = steadyPorts(systemsRange()) } = options
  const kept = new Map<string, Promise<number>>()
  const given = new Set<number>()
  const lanes: Promise<unknown>[] = Array.from({ length: LANES }, () => Promise.resolve())
  const rooms = Math.ceil((range.to + 1 - range.from) / IN_ROOM)
  let visited = 0
  let left: number[] = []

  /** One that was not looked at yet, by chance; undefined when all were. */
  function next(): number | undefined {
    while (left.length === 0 && visited < rooms) {
      const first = range.from + ((pid + visited++) % rooms) * IN_ROOM
      const size = Math.min(IN_ROOM, range.to + 1 - first)
      left = Array.from({ length: size }, (_, at) => first + at)
    }
    return left.splice(Math.floor(random() * left.length), 1)[0]
  }

  async function find(host: string): Promise<number> {
    for (let port = next(); port !== undefined; port = next()) {
      given.add(port)
      if (!(await isTaken(host, port))) return port
    }
    return anyPort(host)
  }

  /** One that the system chooses; it may choose again what it gave a moment ago. */
  async function anyPort(host: string): Promise<number> {
    const port = await freePort(host)
    if (given.has(port)) return anyPort(host)
    given.add(port)
    return port
  }

  function findInLane(host: string): Promise<number> {
    const lane = kept.size % LANES
    const found = Promise.resolve(lanes[lane]).then(() => find(host))
    lanes[lane] = found.catch(() => {})
    return found
  }

  return function portOf(name, host) {
    const port = kept.get(name) ?? findInLane(host)
    kept.set(name, port)
    return port
  }
}
