import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'

/** What is shaken; `npm run chaos` builds it first. */
const EXECUTABLE = join(import.meta.dirname, '../../dist/msvc')
const LOOK_MS = 10
/** Below the ports that the system gives to outgoing connections. */
const OFFSET = 12_000 + (process.pid % 100) * 100

/** Ports of the roles that faults are done to. */
const PORTS = {
  registry: 8500,
  'config-server': 8600,
  'log-server': 4318,
  broker: 8300,
  user: 8001,
  order: 8002,
  payment: 8003,
  gateway: 8000,
} as const
export type RoleName = keyof typeof PORTS
export const ROLES = Object.keys(PORTS) as readonly RoleName[]

export const portOf = (role: RoleName) => PORTS[role] + OFFSET

/** A replica of a role, as `msvc up` names it: `order`, `order-2`. */
export type UnitName = RoleName | `${RoleName}-${number}`

/** A platform under `msvc up`, in a data folder of its own. `await using` ends it. */
export interface Platform extends AsyncDisposable {
  url(role: RoleName): string
  /** The process that runs a unit, and its address; waits until one does. */
  unit(name: UnitName): Promise<{ readonly pid: number; readonly url: string }>
  /** A token for the gateway. */
  readonly token: string
}

/** What differs from a platform on embedded stores, one replica of each role. */
export interface PlatformDifferences {
  /** Addresses of services that callers use instead of asking the registry. */
  readonly services?: Readonly<Record<string, string>>
  /** `store`, `bus` and `cache`. */
  readonly servers?: Readonly<Record<string, string>>
  /** Replicas by role. */
  readonly scale?: Partial<Readonly<Record<RoleName, number>>>
}

/** Starts a platform and waits until it is ready. */
export async function startPlatform(
  folder: string,
  { services = {}, servers = {}, scale = {} }: PlatformDifferences,
): Promise<Platform> {
  mkdirSync(folder, { recursive: true })
  const data = join(folder, 'data')
  const config = join(folder, 'chaos.yaml')
  writeFileSync(config, JSON.stringify({ log: { level: 'WARNING' }, services, ...servers }))
  const common = ['--config', config, '--data', data]
  const replicas = Object.entries(scale).flatMap(([role, count]) => ['--scale', `${role}=${count}`])
  const child = spawn(EXECUTABLE, ['up', '--json', '--port-offset', String(OFFSET), ...replicas, ...common], {
    // by the channel it ends with this process, however that ends
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const { stdout, stderr } = child
  if (!stdout || !stderr) throw new Error('pipes are asked for')
  let said = ''
  stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4_000)
  })
  const ended = once(child, 'exit')
  const ready = once(createInterface(stdout), 'line')
  const first = await Promise.race([ready, ended.then(() => undefined)])
  if (!first) throw new Error(`the platform did not start:\n${said}`)
  const scopes = 'users:read,users:write,orders:read,orders:write'
  const mint = ['token', '--subject', 'chaos', '--scope', scopes, '--ttl', '7200', ...common]
  return {
    url: (role) => `http://127.0.0.1:${portOf(role)}`,
    async unit(name) {
      for (;;) {
        const { roles }: State = JSON.parse(readFileSync(join(data, 'run.json'), 'utf8'))
        const found = roles.find(({ unit }) => unit === name)
        if (found?.pid !== undefined) return { pid: found.pid, url: found.url }
        await delay(LOOK_MS)
      }
    },
    token: execFileSync(EXECUTABLE, mint, { encoding: 'utf8' }).trim(),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** How long this machine takes now to run the program without doing anything, milliseconds: 80 when it is idle. */
export function yardstick(): number {
  const since = performance.now()
  execFileSync(EXECUTABLE, ['--version'])
  return performance.now() - since
}

interface State {
  readonly roles: readonly { readonly unit: string; readonly url: string; readonly pid?: number }[]
}
