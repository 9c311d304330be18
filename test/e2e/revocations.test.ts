import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/drivers/clock.ts'
import { createAuthority } from '../../src/kit/auth/local-authority.ts'
import { Platform } from '../../src/kit/config/schema.ts'
import { type RunningHost, runRole } from '../../src/kit/host.ts'
import { gateway } from '../../src/roles/gateway/role.ts'
import { isHere } from '../servers/programs.ts'
import { startRedis } from '../servers/redis.ts'

const SOON = { interval: 20 }

let folder: string
const hosts: RunningHost[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'msvc-revocations-'))
})
afterEach(async () => {
  for (const host of hosts.splice(0)) await host.stop()
  rmSync(folder, { recursive: true })
})

const settingsOf = (data: string, cache: string) => Platform.parse({ data: join(folder, data), cache })

async function start(cache: string, data = 'data'): Promise<RunningHost> {
  const host = await runRole(gateway, {
    settings: settingsOf(data, cache),
    section: { host: '127.0.0.1', port: 0 },
    registryUrl: '',
    version: '0.0.0-test',
    clock: systemClock,
    sinks: [],
  })
  hosts.push(host)
  return host
}

/** Moves a gateway to another cache while it serves. */
async function move(host: RunningHost, cache: string): Promise<void> {
  const { data, store, bus } = settingsOf('data', cache)
  const to = { data, store, bus, cache }
  await host.cutover.prepare(to)
  await host.cutover.hold({ id: cache, to, leaseMs: 60_000 }, 20_000)
  await host.cutover.begin(cache, 'new')
}

async function tokens() {
  const authority = createAuthority({
    mode: 'local',
    issuer: 'msvc',
    folder: join(folder, 'data/keys'),
    clock: systemClock,
  })
  const mint = () => authority.mint({ subject: 'ann', audience: 'api-gateway', scopes: [] })
  return { revoked: await mint(), other: await mint() }
}

/** Whether a gateway takes a token: there is nothing behind it to answer then. */
async function takes(host: RunningHost, token: string): Promise<boolean> {
  const { status } = await fetch(`${host.url}/gateway/api/orders`, { headers: { authorization: `Bearer ${token}` } })
  expect([401, 503]).toContain(status)
  return status === 503
}

async function revoke(host: RunningHost, token: string): Promise<void> {
  const { status } = await fetch(`${host.url}/oauth/revoke`, { method: 'POST', body: new URLSearchParams({ token }) })
  expect(status).toBe(200)
}

describe('a revoked token', () => {
  it('stays revoked when the gateway begins anew, there or in another process', async () => {
    const { revoked, other } = await tokens()
    const first = await start('memory:')
    await revoke(first, revoked)
    // another URL, and the same cache
    await move(first, 'MEMORY:')
    expect([await takes(first, revoked), await takes(first, other)]).toEqual([false, true])
    await first.stop()
    const second = await start('memory:')
    expect([await takes(second, revoked), await takes(second, other)]).toEqual([false, true])
  })

  it('is revoked at all gateways on a data folder', async () => {
    const { revoked, other } = await tokens()
    const [first, second] = [await start('memory:'), await start('memory:')]
    await revoke(first, revoked)
    await expect.poll(() => takes(second, revoked), SOON).toBe(false)
    expect(await takes(second, other)).toBe(true)
  })

  it.skipIf(!isHere('redis-server'))('is revoked where the gateways move to, and where they come back to', async () => {
    await using redis = await startRedis()
    const { revoked: early, other: late } = await tokens()
    const moved = await start('memory:')
    await revoke(moved, early)
    await move(moved, redis.url)
    expect([await takes(moved, early), await takes(moved, late)]).toEqual([false, true])
    // a gateway of another machine knows it by the Redis alone
    mkdirSync(join(folder, 'elsewhere/keys'), { recursive: true, mode: 0o700 })
    copyFileSync(join(folder, 'data/keys/signing.json'), join(folder, 'elsewhere/keys/signing.json'))
    const elsewhere = await start(redis.url, 'elsewhere')
    expect([await takes(elsewhere, early), await takes(elsewhere, late)]).toEqual([false, true])
    await revoke(elsewhere, late)
    await expect.poll(() => takes(moved, late), SOON).toBe(false)
    await move(moved, 'memory:')
    expect([await takes(moved, early), await takes(moved, late)]).toEqual([false, false])
  })
})
