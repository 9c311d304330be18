import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import * as z from 'zod'
import manifest from '../../package.json' with { type: 'json' }
import { hold } from '../e2e/composition/engine.ts'
import { machineClient } from '../e2e/composition/machine-client.ts'
import { isHere } from '../servers/programs.ts'
import { type Copy, copyExecutable, ROLES } from '../smoke/executable.ts'
import { OWN_CGROUPS } from './cgroups.ts'

const IMAGE = `docker.io/library/msvc:${manifest.version}`
const State = z.object({ ExitCode: z.int(), Pid: z.int(), OOMKilled: z.boolean() })
const Made = z.object({ id: z.int(), status: z.string().optional() })
/** What a careful person starts it with: a root that can't be written, and no right. Without control groups, which not every machine that tests can give. */
const CAREFUL = [
  '--read-only',
  '--cap-drop=all',
  '--security-opt=no-new-privileges',
  '--network=none',
  '--cgroups=disabled',
]
/** Of those that an engine raises, and this machine may not. */
const LIMITS = ['--ulimit=nofile=4096:4096', '--ulimit=nproc=4096:4096']

describe.skipIf(!isHere('podman') || process.getuid?.() !== 0)('podman', () => {
  let copy: Copy
  let podman: (...args: string[]) => Promise<string>
  let end: () => Promise<unknown>
  beforeAll(async () => {
    copy = await copyExecutable()
    const { child, pid } = await hold(['--mount'], `${OWN_CGROUPS}\necho ready; exec cat`)
    end = () => {
      const ended = once(child, 'exit')
      child.kill()
      return ended
    }
    const storage = ['--root', join(copy.folder, 'storage'), '--runroot', join(copy.folder, 'run')]
    const options = ['--storage-driver=vfs', '--cgroup-manager=cgroupfs', '--events-backend=none']
    const command = ['--target', String(pid), '--mount', 'podman', ...storage, ...options]
    podman = async (...args) => (await promisify(execFile)('nsenter', [...command, ...args])).stdout.trim()
    expect(await copy.run('deploy', 'image', 'msvc.tar')).toMatchObject({ code: 0 })
    expect(await podman('load', '--input', join(copy.folder, 'msvc.tar'))).toContain(IMAGE)
  }, 180_000)
  afterAll(async () => {
    await podman?.('rm', '--all', '--force', '--time=0', '--volumes')
    await end?.()
    copy?.remove()
  })

  it.each([
    ['its own user', '10001:10001', []],
    ['a user that nobody knows', '54321:54321', []],
    ['one of the group of root, on a volume with a name', '54322:0', ['--volume=named:/data']],
  ])('runs the platform as %s, and it ends in order', { timeout: 240_000 }, async (_, user, volume) => {
    const name = `msvc-${user.split(':')[0]}`
    await podman('run', '--detach', `--name=${name}`, `--user=${user}`, ...CAREFUL, ...LIMITS, ...volume, IMAGE, 'up')
    const state = async () => State.parse(JSON.parse(await podman('inspect', '--format={{json .State}}', name)))
    const msvc = (...words: string[]) => podman('exec', name, '/usr/local/bin/msvc', ...words)
    await vi.waitUntil(() => msvc('health', '--self').then(Boolean, () => false), { timeout: 120_000, interval: 200 })
    const token = await msvc('token', '--subject', 'ann', '--scope', 'users:write,orders:read,orders:write')
    {
      using client = machineClient({ machine: (await state()).Pid })
      const ask = async (path: string, body?: object) => {
        const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
        const init = { headers, ...(body && { method: 'POST', body: JSON.stringify(body) }) }
        const answer = await client.ask(`http://127.0.0.1:8000/gateway/api${path}`, init)
        expect(answer.status, answer.body).toBeLessThan(300)
        return Made.parse(JSON.parse(answer.body))
      }
      const { id: person } = await ask('/users', { username: 'ann', email: 'ann@example.com' })
      const { id } = await ask('/orders', { user_id: person, product_name: 'Laptop', quantity: 1 })
      await vi.waitUntil(async () => (await ask(`/orders/${id}`)).status === 'paid', { timeout: 20_000 })
    }
    for (const role of ROLES) expect(await msvc('health', '--self')).toContain(role)
    // podman itself would kill it after ten seconds
    await podman('stop', '--time=60', name)
    expect(await state()).toMatchObject({ ExitCode: 0, OOMKilled: false })
  })
})
