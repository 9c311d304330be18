import { createServer } from 'node:net'
import { AppError } from '../errors.ts'

/**
 * Finds a port that nobody listens on. Another program may take it before it is used; for the one address that others must know
 * before its owner listens, that is the best there is.
 */
export function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (cause) => reject(new AppError('START_FAILED', `no free port on ${host}`, { cause })))
    server.listen({ host, port: 0, exclusive: true }, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
