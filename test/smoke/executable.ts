import { execFile, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const root = join(import.meta.dirname, '../..')

/** The executable alone in an empty folder, far from any node_modules and with no node on its path. */
export interface Copy {
  readonly folder: string
  readonly program: string
  /** Runs it to the end. */
  run(...args: string[]): Promise<Outcome>
  remove(): void
}

export interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

const environment = { PATH: '/nonexistent', HOME: tmpdir(), NO_COLOR: '1' }

/** Builds the executable when it is missing or old, and copies it. */
export async function copyExecutable(): Promise<Copy> {
  await promisify(execFile)(process.execPath, [join(root, 'bin/msvc'), '--version'])
  const folder = mkdtempSync(join(tmpdir(), 'msvc-smoke-'))
  const program = join(folder, 'msvc')
  cpSync(join(root, 'dist/msvc'), program)
  const run = (...args: string[]) =>
    new Promise<Outcome>((resolve) => {
      const child = execFile(program, args, { cwd: folder, env: environment }, (fault, out, err) => {
        resolve({ code: typeof fault?.code === 'number' ? fault.code : fault ? -1 : 0, out, err })
      })
      child.stdin?.end()
    })
  return { folder, program, run, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** A platform that `msvc up` runs. */
export interface Platform {
  readonly pid: number
  readonly token: string
  readonly roles: readonly { readonly unit: string; readonly url: string; readonly pid: number }[]
  url(unit: string): string
  /** Sends a signal, and resolves with the exit code (or the signal it died of) and what stderr held. */
  end(signal: NodeJS.Signals): Promise<{ readonly code: number | string; readonly err: string }>
}

/** What the platform's token may do. */
const SCOPES = 'users:read,users:write,orders:read,orders:write,payments:read'

/** What `msvc up` runs. */
export const ROLES = ['registry', 'config-server', 'log-server', 'broker', 'user', 'order', 'payment', 'gateway']

/**
 * Starts `msvc up` with every role on a free port; resolves when it says that all are ready.
 * @param more what its configuration says besides. Default: nothing
 */
export async function startPlatform(
  { program, folder, run, more = '' }: Copy & { readonly more?: string },
  ...flags: string[]
): Promise<Platform> {
  const config = join(folder, more === '' ? 'free-ports.yaml' : 'with-services.yaml')
  writeFileSync(config, `log: { format: json }\n${ROLES.map((role) => `${role}: { port: 0 }`).join('\n')}\n${more}`)
  const child = spawn(program, ['up', '--json', '--config', config, ...flags], {
    cwd: folder,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let err = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  const ended = new Promise<number | string>((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown'))
  })
  const first = new Promise<string>((resolve) => createInterface(child.stdout).once('line', resolve))
  const line = await Promise.race([
    first,
    ended.then((code) => Promise.reject(new Error(`ended with ${code}: ${err}`))),
  ])
  const { pid, roles } = JSON.parse(line)
  // a pipe is told no token
  const token = (await run('token', '--subject', 'ann', '--scope', SCOPES)).out.trim()
  return {
    pid,
    token,
    roles,
    url: (unit) => roles.find((role: { unit: string }) => role.unit === unit)?.url,
    async end(signal) {
      child.kill(signal)
      return { code: await ended, err }
    },
  }
}

/** Whether a process with this id exists. */
export function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`)
}

/** Asks again until the answer holds; the test's own time limit ends it. */
export async function until<T>(ask: () => Promise<T>, holds: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask().catch(() => undefined)
    if (answer !== undefined && holds(answer)) return answer
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
