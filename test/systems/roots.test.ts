import { execFile } from 'node:child_process'
import { cpSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as z from 'zod'
import manifest from '../../package.json' with { type: 'json' }
import { type Copy, copyExecutable, startPlatform, until } from '../smoke/executable.ts'
import { emulated, inRoot, makeRoot, obstacle, type Root } from './roots.ts'

const Made = z.object({ id: z.int(), status: z.string().optional() })
const ARM64 = join(import.meta.dirname, '../../dist/linux-arm64/msvc')

const SYSTEMS: readonly Root[] = [
  { suite: 'bookworm', arch: 'amd64' },
  { suite: 'trixie', arch: 'amd64' },
  { suite: 'bookworm', arch: 'arm64' },
]

describe.each(SYSTEMS)('in a minimal $suite for $arch', (system) => {
  const isEmulated = system.arch === 'arm64'
  const missing = isEmulated && !existsSync(ARM64) ? 'wants npm run build -- --target linux-arm64' : undefined
  const why = obstacle(system) ?? missing
  let copy: Copy
  beforeAll(async () => {
    if (why) return
    const root = await makeRoot(system)
    const plain = await copyExecutable()
    if (isEmulated) cpSync(ARM64, plain.program)
    const program = isEmulated ? emulated(root, plain.folder, plain.program) : inRoot(root, plain.folder, plain.program)
    const run = (...args: string[]) =>
      promisify(execFile)(program, args, { cwd: plain.folder, env: { HOME: plain.folder } }).then(
        ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
        ({ code, stdout, stderr }) => ({ code, out: stdout, err: stderr }),
      )
    copy = { ...plain, program, run }
  }, 600_000)
  afterAll(() => copy?.remove())

  it('says its version', async (test) => {
    test.skip(why !== undefined, why)
    expect(await copy.run('--version')).toEqual({ code: 0, out: `${manifest.version}\n`, err: '' })
  })

  it('takes an order on its whole way, and stops in order', async (test) => {
    test.skip(why !== undefined, why)
    // an emulator runs one program, and none that this one starts
    const platform = await startPlatform(copy, ...(isEmulated ? ['--in-process'] : []))
    const ask = async (path: string, body?: object) => {
      const headers = { authorization: `Bearer ${platform.token}`, 'content-type': 'application/json' }
      const url = new URL(`/gateway/api${path}`, platform.url('gateway'))
      const answer = await fetch(url, { headers, ...(body && { method: 'POST', body: JSON.stringify(body) }) })
      return Made.parse(await answer.json())
    }
    try {
      let attempt = 0
      const made = (path: string, body: (name: string) => object) =>
        until(
          // an attempt whose answer came too late may have made one of its name
          () => ask(path, body(`ann${attempt++}`)),
          () => true,
        )
      const { id: user } = await made('/users', (name) => ({ username: name, email: `${name}@example.com` }))
      const { id } = await made('/orders', () => ({ user_id: user, product_name: 'Laptop', quantity: 1 }))
      await until(
        () => ask(`/orders/${id}`),
        ({ status }) => status === 'paid',
      )
      expect((await platform.end('SIGTERM')).code).toBe(0)
    } finally {
      await platform.end('SIGKILL')
    }
  }, 300_000)
})
