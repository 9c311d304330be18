import { execFile, spawn } from 'node:child_process'
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as z from 'zod'
import manifest from '../../package.json' with { type: 'json' }
import { isHere } from '../servers/programs.ts'
import { type Copy, copyExecutable, ROLES, until } from './executable.ts'

const run = promisify(execFile)
const USER = 10_001
const SCOPES = 'users:write,orders:read,orders:write'
const Config = z.object({
  architecture: z.string(),
  os: z.string(),
  config: z.object({
    User: z.string(),
    Env: z.array(z.string()),
    Entrypoint: z.array(z.string()),
    Volumes: z.record(z.string(), z.object({})),
    StopSignal: z.string(),
    Healthcheck: z.object({ Test: z.array(z.string()) }).optional(),
  }),
})

let copy: Copy
beforeAll(async () => {
  copy = await copyExecutable()
  expect(await copy.run('deploy', 'image', 'msvc.tar')).toMatchObject({ code: 0 })
}, 180_000)
afterAll(() => copy?.remove())

const inFolder = (...parts: string[]) => join(copy.folder, ...parts)

describe.skipIf(!isHere('skopeo', 'umoci'))('the image', () => {
  it.each(['docker-archive', 'oci-archive'])(
    'is taken as %s, with no rights and no shell',
    { timeout: 60_000 },
    async (kind) => {
      const { stdout } = await run('skopeo', ['inspect', '--config', `${kind}:${inFolder('msvc.tar')}`])
      expect(Config.parse(JSON.parse(stdout))).toMatchObject({
        architecture: process.arch === 'x64' ? 'amd64' : process.arch,
        os: 'linux',
        config: {
          User: `${USER}:${USER}`,
          Env: expect.arrayContaining(['MSVC_DATA=/data', 'MSVC_LOG_FORMAT=json']),
          Entrypoint: ['/usr/local/bin/msvc'],
          Volumes: { '/data': {} },
          StopSignal: 'SIGTERM',
        },
      })
    },
  )

  it('is the same from the same program', { timeout: 60_000 }, async () => {
    expect(await copy.run('deploy', 'image', 'again.tar')).toMatchObject({ code: 0 })
    const digest = async (file: string) => (await run('sha256sum', [inFolder(file)])).stdout.split(' ')[0]
    expect(await digest('again.tar')).toBe(await digest('msvc.tar'))
  })
})

describe('an image that can not be', () => {
  it.each([
    [['msvc.tar'], 1, /msvc\.tar is there already: name another file, or say --force/],
    [['nowhere/msvc.tar'], 2, /there is no folder .*nowhere: make it, or name another/],
    [['other.tar', '--program', '/etc/passwd'], 2, /\/etc\/passwd is no program for Linux on x64 or arm64/],
    [['other.tar', '--program', '/none'], 2, /\/none can't be read: ENOENT/],
    [['other.tar', '--tag', 'Msvc:1'], 2, /--tag wants a name such as/],
    [['/proc/msvc.tar'], 1, /the image can't be written in \/proc/],
    [['-', '--json'], 2, /stdout takes an image or JSON, not both/],
  ])('says so in one line: %j', async (args, code, message) => {
    const outcome = await copy.run('deploy', 'image', ...args)
    expect(outcome).toMatchObject({ code, out: '', err: expect.stringMatching(message) })
    expect(outcome.err.trim().split('\n')).toHaveLength(1)
  })
})

describe.skipIf(!isHere('skopeo', 'umoci') || process.getuid?.() !== 0)('a container of the image', () => {
  it('runs the platform as process 1 of an unknown user on a root that it can not write, and ends in order', {
    timeout: 120_000,
  }, async () => {
    const { root, data, env } = await unpack()
    const container = start(root, data, env, ['up', '--json', '--config', '/data/free-ports.yaml'])
    const outcome = await container.ready
    const { roles } = z.object({ roles: z.array(z.object({ unit: z.string(), url: z.string() })) }).parse(outcome)
    expect(roles.map(({ unit }) => unit).toSorted()).toEqual(ROLES.toSorted())
    const gateway = roles.find(({ unit }) => unit === 'gateway')?.url
    const token = await container.exec('token', '--subject', 'ann', '--scope', SCOPES)
    const ask = async (path: string, body?: object) => {
      const init = body && { method: 'POST', body: JSON.stringify(body) }
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      const answer = await fetch(`${gateway}/gateway/api${path}`, { ...init, headers })
      return z.object({ id: z.int(), status: z.string().optional() }).parse(await answer.json())
    }
    const user = await ask('/users', { username: 'ann', email: 'ann@example.com' })
    const order = await ask('/orders', { user_id: user.id, product_name: 'Laptop', quantity: 1 })
    await until(
      () => ask(`/orders/${order.id}`),
      ({ status }) => status === 'paid',
    )
    expect(await container.exec('health', '--self')).toMatch(/gateway +api-gateway .* healthy/)
    const status = readFileSync(`/proc/${container.pid()}/status`, 'utf8')
    expect(status).toMatch(new RegExp(`^Uid:\\s+${USER}\\s+${USER}`, 'm'))
    expect(status).toMatch(/^NSpid:\s+\d+\s+1$/m)
    expect(status).toMatch(/^CapEff:\s+0+$/m)

    const { code, lines } = await container.end('SIGTERM')
    expect(code).toBe(0)
    expect(lines.length).toBeGreaterThan(0)
    expect(lines.filter((line) => !isEntry(line))).toEqual([])
  })
})

/** Unpacks the image as an engine would, and makes a volume for it. */
async function unpack() {
  await run('skopeo', [
    'copy',
    '--quiet',
    `oci-archive:${inFolder('msvc.tar')}`,
    `oci:${inFolder('layout')}:${manifest.version}`,
  ])
  await run('umoci', ['unpack', '--image', `${inFolder('layout')}:${manifest.version}`, inFolder('bundle')])
  const root = inFolder('bundle', 'rootfs')
  const { stdout } = await run('skopeo', ['inspect', '--config', `oci-archive:${inFolder('msvc.tar')}`])
  const data = inFolder('volume')
  mkdirSync(data, { mode: 0o700 })
  writeFileSync(join(data, 'free-ports.yaml'), ROLES.map((role) => `${role}: { port: 0 }\n`).join(''))
  chownSync(data, USER, USER)
  for (const name of ['proc', 'dev']) mkdirSync(join(root, name))
  return { root, data, env: Config.parse(JSON.parse(stdout)).config.Env }
}

/** What an engine does: namespaces of its own, a root that is read only, one volume, another user. */
const ENGINE = `
set -e
mount --bind "$ROOT" "$ROOT"
mount --bind "$DATA" "$ROOT/data"
mount --rbind /dev "$ROOT/dev"
mount -t proc proc "$ROOT/proc"
mount -o remount,ro,bind "$ROOT"
exec env -i $VARIABLES "$(command -v chroot)" --userspec=${USER}:${USER} "$ROOT" /usr/local/bin/msvc "$@"`

function start(root: string, data: string, variables: readonly string[], args: readonly string[]) {
  const child = spawn('unshare', ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', ENGINE, 'sh', ...args], {
    env: { PATH: process.env.PATH, ROOT: root, DATA: data, VARIABLES: variables.join(' ') },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  createInterface(child.stderr).on('line', (line) => lines.push(line))
  const ended = new Promise<number | string>((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown'))
  })
  const first = new Promise<string>((resolve) => createInterface(child.stdout).once('line', resolve))
  const failed = ended.then((code) => Promise.reject(new Error(`ended with ${code}: ${lines.join('\n')}`)))
  failed.catch(() => {})
  const pid = () => Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim())
  return {
    ready: Promise.race([first, failed]).then((line): unknown => JSON.parse(line)),
    pid,
    /** As `docker exec` does. */
    async exec(...more: string[]) {
      const into = ['--target', String(pid()), '--mount', '--pid', '--root', '--wd', '--setuid', String(USER)]
      const program = ['--setgid', String(USER), '/usr/local/bin/msvc', ...more]
      const { stdout } = await run('nsenter', [...into, ...program], {
        env: { MSVC_DATA: '/data', PATH: process.env.PATH },
      })
      return stdout.trim()
    },
    async end(signal: NodeJS.Signals) {
      process.kill(pid(), signal)
      return { code: await ended, lines }
    },
  }
}

function isEntry(line: string): boolean {
  try {
    return z.object({ level: z.string(), message: z.string() }).safeParse(JSON.parse(line)).success
  } catch {
    return false
  }
}
