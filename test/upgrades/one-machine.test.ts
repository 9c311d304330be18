import { copyFileSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, inject, it, vi } from 'vitest'
import { unpackRelease } from '../../release/keepsakes.ts'
import { VERSION } from '../../src/cli/session/version.ts'
import { placeOrders } from '../e2e/order-load.ts'
import { commandsIn } from '../e2e/running-platform.ts'
import { failed, load } from '../e2e/steady-load.ts'
import { releases } from './released.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-upgrade-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const newest = releases().at(-1) ?? ''
/** Where the platform's program lies, whatever its version. */
const place = join(folder, 'msvc.cjs')
const { msvc, up } = commandsIn(folder, '', place)

/** Puts a program in its place as an installer does: at once, under whoever runs it. */
function put(program: string): void {
  copyFileSync(program, `${place}.new`)
  renameSync(`${place}.new`, place)
}

it('serves every request of 50 a second while the platform becomes another version', { timeout: 120_000 }, async () => {
  const unpacked = mkdtempSync(join(folder, 'released-'))
  const { program, version } = await unpackRelease(newest, unpacked)
  put(program)
  await using platform = await up('data')
  const gateway = platform.url('gateway')
  const scopes = 'users:write,orders:read,orders:write'
  const token = (await msvc('data', 'token', '--subject', 'ann', '--scope', scopes)).trim()
  const orders = await placeOrders(gateway, token, 10)
  await orders.isWarm()
  const reads = load(`${gateway}/gateway/api/users`, 40)
  await vi.waitUntil(() => reads.answers.length > 50, { timeout: 20_000 })
  put(inject('program'))
  const said: unknown = JSON.parse(
    await msvc('data', 'upgrade', '--json').catch((cause: Error) => {
      throw new Error(platform.said(), { cause })
    }),
  )
  expect(said).toEqual({ from: version, to: VERSION, pid: platform.child.pid })
  const since = reads.answers.length
  await vi.waitUntil(() => reads.answers.length > since + 100, { timeout: 30_000 })
  await Promise.all([reads.stop(), orders.stop()])
  expect(orders.failed).toEqual([])
  expect(failed(reads.answers)).toEqual([])
  const listed = await fetch(`${gateway}/gateway/api/orders?limit=100`, {
    headers: { authorization: `Bearer ${token}` },
  })
  expect(listed.status).toBe(200)
})
