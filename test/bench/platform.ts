import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Program, start } from './processes.ts'

/** What is measured; `npm run bench` builds it first. */
export const EXECUTABLE = join(import.meta.dirname, '../../dist/msvc')

/** How a platform under measurement differs from the usual one. */
interface PlatformOptions {
  /** Default: the one that is built now. */
  readonly executable?: string
  /** Added to all ports. Default `OFFSET`. */
  readonly offset?: number
  /** YAML. Default: nothing is switched off; the limit on writes a client is out of the way, and reading users wants a token. */
  readonly config?: string
}

/** The platform under measurement: the executable's own processes, on ports and in a data folder of its own. */
export interface Platform extends AsyncDisposable {
  /** A role's address by its CLI word. */
  url(role: keyof typeof PORTS): string
  /** A token for the gateway. */
  token(...scopes: readonly string[]): string
}

const PORTS = {
  registry: 8500,
  user: 8001,
  order: 8002,
  payment: 8003,
  gateway: 8000,
  broker: 8300,
  'log-server': 4318,
} as const

const CONFIG = `gateway:
  write_limit: null
  routes:
    users: { methods: { GET: [users:read] } }
    orders: { methods: { POST: [orders:write] } }
`

/** Below the ports that the system gives to outgoing connections, so that none of those is in the way. */
export const OFFSET = 12_000 + (process.pid % 100) * 100

/** Starts `msvc up` with these roles and waits until the last of them is ready. */
export async function startPlatform(
  folder: string,
  roles: readonly (keyof typeof PORTS)[] | 'all',
  { executable = EXECUTABLE, offset = OFFSET, config: content = CONFIG }: PlatformOptions = {},
): Promise<Platform> {
  mkdirSync(folder, { recursive: true })
  const config = join(folder, 'bench.yaml')
  writeFileSync(config, content)
  const common = ['--config', config, '--data', join(folder, 'data')]
  const only = roles === 'all' ? [] : ['--only', ['registry', ...roles].join(',')]
  const last = roles === 'all' ? 'gateway' : roles.at(-1)
  const url = (role: keyof typeof PORTS) => `http://127.0.0.1:${PORTS[role] + offset}`
  const program: Program = await start(
    executable,
    ['up', '--quiet', '--port-offset', String(offset), ...only, ...common],
    `${url(last ?? 'user')}/readyz`,
  )
  return {
    url,
    token: (...scopes) =>
      execFileSync(
        executable,
        ['token', '--subject', 'bench', '--scope', scopes.join(','), '--ttl', '3600', ...common],
        { encoding: 'utf8' },
      ).trim(),
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  }
}
