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

/** Where ports are looked for that are to stay free while their owner is away: below those that systems give to outgoing connections (Linux from 32768 on). */
const STEADY = { from: 20_000, rooms: 100, inRoom: 120 } as const
const TRIES = 50
/** How many are looked for at a time: each look holds a socket for a moment, and thousands may be asked for at once. */
const LANES = 32

/** A port by a name, the same each time it is asked for. */
export type KeptPorts = (name: string, host: string) => Promise<number>

/**
 * Makes a source of ports that nobody listens on, and that nobody is given by chance before their owner listens, or while it is started again: no two names get
 * the same, and processes that look at the same time mostly look in other rooms.
 * @param pid this process's id, which chooses the room
 * @param random uniform in [0, 1). Default `Math.random`
 */
export function createKeptPorts(pid: number, random: () => number = Math.random): KeptPorts {
  const kept = new Map<string, Promise<number>>()
  const given = new Set<number>()
  const lanes: Promise<unknown>[] = Array.from({ length: LANES }, () => Promise.resolve())
  const from = STEADY.from + (pid % STEADY.rooms) * STEADY.inRoom

  async function find(host: string): Promise<number> {
    for (let left = TRIES; left > 0; left--) {
      const port = from + Math.floor(random() * STEADY.inRoom)
      if (given.has(port)) continue
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
