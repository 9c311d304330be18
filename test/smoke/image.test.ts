import { execFile, spawn } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import * as z from 'zod'
import manifest from '../../package.json' with { type: 'json' }
import { isHere } from '../servers/programs.ts'
import { type Copy, copyExecutable, ROLES, until } from './executable.ts'
import { ImageConfig, imageFaults } from './image-rules.ts'

const run = promisify(execFile)
const USER = 10_001
const SCOPES = 'users:write,orders:read,orders:write'

let copy: Copy
beforeAll(async () => {
  copy = await copyExecutable()
  expect(await copy.run('deploy', 'image', 'msvc.tar')).toMatchObject({ code: 0 })
}, 180_000)
afterAll(() => copy?.remove())

const inFolder = (...parts: string[]) => join(copy.folder, ...parts)

describe.skipIf(!isHere('skopeo', 'umoci'))('the image', () => {
  it.each(['docker-archive', 'oci-archive'])('is taken as %s', async (kind) => {
    expect(await configOf(kind)).toMatchObject({
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: {
        User: `${USER}:${USER}`,
        Env: expect.arrayContaining(['MSVC_DATA=/data/msvc', 'MSVC_LOG_FORMAT=json']),
        Entrypoint: ['/usr/local/bin/msvc'],
        Volumes: { '/data': {} },
        StopSignal: 'SIGTERM',
        Healthcheck: { Test: ['CMD', '/usr/local/bin/msvc', 'health', '--self', '--quiet'] },
      },
    })
  })

  it('has no shell, no program with rights of its owner, and keeps the rules of dockle', {
    timeout: 60_000,
  }, async () => {
    const root = await unpack('looked-at')
    const config = await configOf('oci-archive')
    expect(imageFaults(root, config)).toEqual([])
    expect(statSync(join(root, 'data'))).toMatchObject({ uid: 0, gid: 0 })
    for (const [name, mode] of [
      ['bin/dash', 0o755],
      ['tmp/helper', 0o4755],
      ['etc/hosts', 0o666],
    ] as const) {
      mkdirSync(join(root, name, '..'), { recursive: true })
      writeFileSync(join(root, name), '')
      chmodSync(join(root, name), mode)
    }
    const asRoot = { config: { ...config.config, User: 'root', Env: ['ADMIN_PASSWORD=a'] } }
    expect(imageFaults(root, asRoot).toSorted()).toEqual([
      'CIS-DI-0001 root',
      'CIS-DI-0008 tmp/helper',
      'CIS-DI-0010 ADMIN_PASSWORD=a',
      'a shell: bin/dash',
      'open to all: etc/hosts',
    ])
  })

  it('is the same from the same program, wherever it was copied to, by whichever msvc', {
    timeout: 60_000,
  }, async () => {
    cpSync(copy.program, inFolder('copied'))
    utimesSync(inFolder('copied'), 1_000, 1_000)
    expect(await copy.run('deploy', 'image', 'again.tar', '--program', 'copied')).toMatchObject({ code: 0 })
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
    [['other.tar', '--program', '/bin/true'], 2, /\/bin\/true is not msvc, which an image is made of/],
    [['other.tar', '--program', 'pipe'], 2, /pipe can't be read: it is no file/],
    [['other.tar', '--program', '/dev/zero'], 2, /\/dev\/zero can't be read: it is no file/],
    [['other.tar', '--tag', 'Msvc:1'], 2, /--tag wants a name such as/],
    [['/proc/msvc.tar'], 1, /the image can't be written in \/proc/],
    [['-', '--json'], 2, /stdout takes an image or JSON, not both/],
  ])('says so in one line: %j', async (args, code, message) => {
    if (args.includes('pipe')) await run('mkfifo', [inFolder('pipe')])
    const outcome = await copy.run('deploy', 'image', ...args)
    expect(readdirSync(copy.folder).filter((name) => name.startsWith('.msvc-image-'))).toEqual([])
    expect(outcome).toMatchObject({ code, out: '', err: expect.stringMatching(message) })
    expect(outcome.err.trim().split('\n')).toHaveLength(1)
  })
})

describe.skipIf(!isHere('skopeo', 'umoci') || process.getuid?.() !== 0)('a container of the image', () => {
  let root: string
  beforeAll(async () => {
    root = await unpack('bundle')
    for (const name of ['proc', 'dev']) mkdirSync(join(root, name))
  })
  const data = () => inFolder('volume')
  beforeEach(() => {
    mkdirSync(data())
    // as an engine makes one: it has the rights of what it covers
    chmodSync(data(), statSync(join(root, 'data')).mode & 0o7777)
    writeFileSync(join(data(), 'free-ports.yaml'), ROLES.map((role) => `${role}: { port: 0 }\n`).join(''))
  })
  afterEach(() => rmSync(data(), { recursive: true }))

  it.each([
    ['its own user', USER],
    ['a user that it does not know', 4_242],
  ])(
    'runs the platform as process 1 of %s on a root that it can not write, and ends in order',
    {
      timeout: 120_000,
    },
    async (_, user) => {
      const { config } = await configOf('oci-archive')
      const container = start({ root, data: data(), variables: config.Env, user }, [
        'up',
        '--json',
        '--config',
        '/data/free-ports.yaml',
      ])
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
      const { id: person } = await ask('/users', { username: 'ann', email: 'ann@example.com' })
      const order = await ask('/orders', { user_id: person, product_name: 'Laptop', quantity: 1 })
      await until(
        () => ask(`/orders/${order.id}`),
        ({ status }) => status === 'paid',
      )
      expect(await container.exec('health', '--self')).toMatch(/gateway +api-gateway .* healthy/)
      const status = readFileSync(`/proc/${container.pid()}/status`, 'utf8')
      expect(status).toMatch(new RegExp(`^Uid:\\s+${user}\\s+${user}`, 'm'))
      expect(status).toMatch(/^NSpid:\s+\d+\s+1$/m)
      expect(status).toMatch(/^CapEff:\s+0+$/m)

      const { code, lines } = await container.end('SIGTERM')
      expect(code).toBe(0)
      expect(lines.length).toBeGreaterThan(0)
      expect(lines.filter((line) => !isEntry(line))).toEqual([])
    },
  )

  it.each([
    ['up', '/data/msvc', /data folder \/data\/msvc belongs to another user/],
    ['serve user', '/data/msvc', /data folder \/data\/msvc can't be read/],
    ['up', '/data/deeper/msvc', /data folder \/data\/deeper\/msvc can't be made: this user may not write there/],
  ])('says in one line whose its data are: %s on %s', async (words, folder, message) => {
    for (const name of ['msvc', 'deeper']) {
      mkdirSync(join(data(), name), { mode: 0o700 })
      chownSync(join(data(), name), USER, USER)
    }
    const container = start({ root, data: data(), variables: [`MSVC_DATA=${folder}`], user: 4_242 }, words.split(' '))
    await expect(container.ready).rejects.toThrow(/^ended with 2: error: .*$/)
    await expect(container.ready).rejects.toThrow(message)
  })

  it('says how to go on with a volume of an earlier image', async () => {
    for (const name of ['keys', 'known-instances.json']) mkdirSync(join(data(), name))
    const container = start({ root, data: data(), variables: ['MSVC_DATA=/data/msvc'], user: USER }, ['up'])
    await expect(container.ready).rejects.toThrow(/new one in another, \/data: to go on with that, .* MSVC_DATA$/)
  })
})

async function configOf(kind: string): Promise<ImageConfig> {
  const { stdout } = await run('skopeo', ['inspect', '--config', '--raw', `${kind}:${inFolder('msvc.tar')}`])
  return ImageConfig.parse(JSON.parse(stdout))
}

/** Unpacks the image as an engine would. @returns its root */
async function unpack(name: string): Promise<string> {
  await run('skopeo', [
    'copy',
    '--quiet',
    `oci-archive:${inFolder('msvc.tar')}`,
    `oci:${inFolder('layout')}:${manifest.version}`,
  ])
  await run('umoci', ['unpack', '--image', `${inFolder('layout')}:${manifest.version}`, inFolder(name)])
  return inFolder(name, 'rootfs')
}

/** What an engine does: namespaces of its own, a root that is read only, one volume, another user. */
const ENGINE = `
set -e
mount --bind "$ROOT" "$ROOT"
mount --bind "$DATA" "$ROOT/data"
mount --rbind /dev "$ROOT/dev"
mount -t proc proc "$ROOT/proc"
mount -o remount,ro,bind "$ROOT"
exec env -i $VARIABLES "$(command -v chroot)" --userspec="$USER_ID:$USER_ID" --groups= "$ROOT" /usr/local/bin/msvc "$@"`

/** What a container is started by. */
interface Started {
  readonly root: string
  readonly data: string
  readonly variables: readonly string[]
  readonly user: number
}

function start({ root, data, variables, user }: Started, args: readonly string[]) {
  const child = spawn('unshare', ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', ENGINE, 'sh', ...args], {
    env: { PATH: process.env.PATH, ROOT: root, DATA: data, VARIABLES: variables.join(' '), USER_ID: String(user) },
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
      const into = ['--target', String(pid()), '--mount', '--pid', '--root', '--wd', '--setuid', String(user)]
      const program = ['--setgid', String(user), '/usr/local/bin/msvc', ...more]
      const { stdout } = await run('nsenter', [...into, ...program], {
        env: { MSVC_DATA: '/data/msvc', PATH: process.env.PATH },
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
