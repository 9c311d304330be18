import { createServer } from 'node:net'
import { AppError } from '../errors.ts'

/**
 * Finds a port that nobody listens on. Another program may take it before it is used; for the one address that others must know
 * before its owner listens, that is the best there is.
 */
export async function freePort(host: string): Promise<number> {
  try {
    return await tryPort(host, 0)
  } catch (cause) {
    throw new AppError('START_FAILED', `no free port on ${host}`, { cause })
  }
}

/** Whether a port is taken by another program now. */
export async function isTaken(host: string, port: number): Promise<boolean> {
  try {
    await tryPort(host, port)
    return false
  } catch (fault) {
    return fault instanceof Error && 'code' in fault && fault.code === 'EADDRINUSE'
  }
}

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
const STEADY = { from: 20_000, to: 32_000 } as const
const TRIES = 50

/**
 * Finds a port that nobody listens on, and that nobody is given by chance while whoever has it is started again.
 * @param random uniform in [0, 1)
 */
export async function steadyPort(host: string, random: () => number = Math.random): Promise<number> {
  for (let left = TRIES; left > 0; left--) {
    const port = STEADY.from + Math.floor(random() * (STEADY.to - STEADY.from))
    if (!(await isTaken(host, port))) return port
  }
  return freePort(host)
}
