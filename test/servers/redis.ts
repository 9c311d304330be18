import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ask } from './dialogue.ts'
import { find } from './programs.ts'
import { freePort, type ServerProcess, startServer } from './server.ts'

/** A Redis of a test's own. */
export interface RedisServer extends ServerProcess {
  readonly port: number
  readonly url: string
}

/** How it is run. */
export interface RedisSettings {
  /** More of its options, such as `['--maxmemory', '2mb']`. */
  readonly options?: readonly string[]
  /** What clients have to say first. Default: nothing. */
  readonly password?: string
}

/** Starts a Redis on a free port, in a temporary folder. What it acknowledges is there when it was killed. `await using` stops it and removes the folder. */
export async function startRedis({ options = [], password }: RedisSettings = {}): Promise<RedisServer> {
  const path = find('redis-server')
  if (path === undefined) throw new Error('redis-server is not installed')
  const folder = await mkdtemp(join(tmpdir(), 'msvc-redis-'))
  const port = await freePort()
  const place = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder]
  // nothing but processes ends: what these have written is there all the same, and nobody waits for the disk
  const durable = ['--appendonly', 'yes', '--appendfsync', 'no', '--save', '']
  const args = [...place, ...durable, ...(password === undefined ? [] : ['--requirepass', password]), ...options]
  const server = await startServer({
    path,
    args,
    // while it was away somebody's connection began at its port
    tooEarly: /address already in use/i,
    async isReady() {
      const answer = (await ask(port, 'PING\r\n')).toString()
      if (!/^(\+PONG|-NOAUTH|-DENIED)/.test(answer)) throw new Error(answer)
    },
  })
  const login = password === undefined ? '' : `:${encodeURIComponent(password)}@`
  return {
    ...server,
    port,
    url: `redis://${login}127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      await server.kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
