import type { Server } from 'node:net'

/** Where a listening server is. */
export function placeOf(server: Pick<Server, 'address'>): { readonly host: string; readonly port: number } {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server is not listening on a port')
  return { host: address.address, port: address.port }
}

/** The port a listening server was given. */
export function portOf(server: Pick<Server, 'address'>): number {
  return placeOf(server).port
}
