import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ask } from './dialogue.ts'
import { find } from './programs.ts'
import { freePort, type ServerProcess, startServer } from './server.ts'

/** A NATS server with JetStream of a test's own. */
export interface NatsServer extends ServerProcess {
  readonly port: number
  readonly url: string
}

/** How it is run. */
export interface NatsSettings {
  /** Lines of its configuration besides address and JetStream's folder. */
  readonly config?: string
  /** Default: JetStream is on. */
  readonly jetstream?: boolean
}

/** Starts a NATS server on a free port, in a temporary folder. `await using` stops it and removes the folder. */
export async function startNats({ config = '', jetstream = true }: NatsSettings = {}): Promise<NatsServer> {
  const path = find('nats-server')
  if (path === undefined) throw new Error('nats-server is not installed')
  const folder = await mkdtemp(join(tmpdir(), 'msvc-nats-'))
  const port = await freePort()
  const file = join(folder, 'nats.conf')
  const storage = jetstream ? `jetstream { store_dir: "${folder}/data" }` : ''
  await writeFile(file, `listen: "127.0.0.1:${port}"\n${storage}\n${config}\n`)
  const server = await startServer({
    path,
    args: ['-c', file],
    // while it was away somebody's connection began at its port
    tooEarly: /address already in use/,
    async isReady() {
      const greeting = (await ask(port, '')).toString()
      if (!greeting.startsWith('INFO ') || (jetstream && !greeting.includes('"jetstream":true')))
        throw new Error(greeting)
    },
  })
  return {
    ...server,
    port,
    url: `nats://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      await server.kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
