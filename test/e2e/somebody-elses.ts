import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Booted } from './boot.ts'

/** An instance of a service that is no role, known to a platform's registry. */
export interface Instance extends AsyncDisposable {
  readonly server: Server
  readonly port: number
}

/** Registers an address as one more instance of a service. */
export async function enlist(platform: Booted, service: string, port: number): Promise<void> {
  const answer = await platform.fetch('registry', '/registry/register', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ service_name: service, host: '127.0.0.1', port }),
  })
  if (answer.status !== 201) throw new Error(`the registry answered ${answer.status}: ${await answer.text()}`)
}

/** Starts an instance and registers it. */
export async function startInstance(platform: Booted, service: string, listener: RequestListener): Promise<Instance> {
  const server = createServer(listener)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  await enlist(platform, service, port)
  return {
    server,
    port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
