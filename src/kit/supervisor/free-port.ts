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
