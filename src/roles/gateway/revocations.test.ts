import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { Cache } from '../../drivers/cache/contract.ts'
import { openCache } from '../../drivers/cache/open.ts'
import type { RowWrite } from '../../drivers/cache/table.ts'
import { systemClock } from '../../drivers/clock.ts'
import { DriverError } from '../../drivers/driver-error.ts'
import type { TokenReference } from '../../kit/auth/authority.ts'
import { RevocationFiles } from '../../kit/auth/revocation-files.ts'
import { AppError } from '../../kit/errors.ts'
import { silentLog } from '../../kit/telemetry/testing/recorded-log.ts'
import { expectWithin } from '../../kit/testing/turns.ts'
import { Revocations, type RevocationsOptions } from './revocations.ts'
import { type GatewayUnderTest, startGateway } from './testing/gateway-under-test.ts'

/** Others look twice a second. */
const soon = <T>(look: () => T | Promise<T>, expected: T) => expectWithin(2_000, look, expected)

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (let close = closing.pop(); close; close = closing.pop()) await close()
})

async function gatewayOver(cache: Cache): Promise<GatewayUnderTest> {
  const gateway = await startGateway({}, { cache })
  closing.push(() => gateway[Symbol.asyncDispose]())
  await gateway.serve('user-service', (_, answer) => answer.end('[]'))
  return gateway
}

const revoke = (gateway: GatewayUnderTest, token: string) =>
  gateway.fetch('/oauth/revoke', {
    method: 'POST',
    body: new URLSearchParams({ token, token_type_hint: 'access_token' }),
  })
const use = async (gateway: GatewayUnderTest, token: string) =>
  (await gateway.fetch('/gateway/api/users', { headers: { authorization: `Bearer ${token}` } })).status

describe('POST /oauth/revoke', () => {
  it('ends a token that is shown, also one that was used a moment ago, and no other', async () => {
    const gateway = await gatewayOver(await openCache({ url: 'memory:', prefix: '' }))
    const mint = () => gateway.authority.mint({ subject: 'ann', audience: 'api-gateway', scopes: [] })
    const [token, other] = [await mint(), await mint()]
    expect(await use(gateway, token)).toBe(200)
    const answer = await revoke(gateway, token)
    expect([answer.status, answer.headers.get('cache-control'), await answer.text()]).toEqual([200, 'no-store', ''])
    expect([await use(gateway, token), await use(gateway, other)]).toEqual([401, 200])
    expect((await revoke(gateway, token)).status).toBe(200)
  })

  it('has a revoked token renewed no more', async () => {
    const gateway = await gatewayOver(await openCache({ url: 'memory:', prefix: '' }))
    const token = await gateway.authority.mint({ subject: 'shop', audience: 'api-gateway', scopes: [], service: true })
    await revoke(gateway, token)
    await expect(gateway.authority.renew(token, 'api-gateway')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  })

  it('answers as well for what is no token here, and wants a form with one', async () => {
    const gateway = await gatewayOver(await openCache({ url: 'memory:', prefix: '' }))
    expect((await revoke(gateway, 'nonsense')).status).toBe(200)
    const wrong = await gateway.fetch('/oauth/revoke', { method: 'POST', body: new URLSearchParams({ tokens: 'x' }) })
    expect([wrong.status, ((await wrong.json()) as { error: string }).error]).toEqual([400, 'invalid_request'])
    expect((await gateway.fetch('/oauth/revoke', { method: 'POST', body: '{}' })).status).toBe(415)
    expect((await gateway.fetch('/oauth/revoke')).status).toBe(405)
  })
})

/** Kept nowhere. */
const noFiles = { news: async () => [], add: async () => {}, sweep: async () => {} }

describe('Revocations', () => {
  /** A cache that can be cut off, and lost. */
  async function setUp() {
    const link = { isCut: false, writes: 0, cache: await openCache({ url: 'memory:', prefix: '' }) }
    async function open(files: RevocationsOptions['files'] = noFiles) {
      const table = () => {
        if (link.isCut) throw new DriverError('unavailable', 'cut')
        return link.cache.table('revoked-tokens')
      }
      const revocations = new Revocations({
        files,
        table: {
          async write(writes) {
            link.writes += writes.length
            return table().write(writes)
          },
          changes: async (cursor) => table().changes(cursor),
        },
        clock: systemClock,
        log: silentLog,
      })
      closing.push(() => revocations.close())
      await revocations.open()
      return revocations
    }
    return { link, open }
  }
  const later = () => Date.now() + 60_000

  it('are known to all soon, and to who begins at once', async () => {
    const { open } = await setUp()
    const [one, other] = [await open(), await open()]
    await one.revoke('a', later())
    expect([one.has('a'), one.has('b')]).toEqual([true, false])
    await soon(() => other.has('a'), true)
    expect((await open()).has('a')).toBe(true)
  })

  it('hold while the cache is away, and are not promised to all', async () => {
    const { link, open } = await setUp()
    const [one, other] = [await open(), await open()]
    await one.revoke('a', later())
    await soon(() => other.has('a'), true)
    link.isCut = true
    await expect(one.revoke('b', later())).rejects.toMatchObject({ kind: 'unavailable' })
    expect([one.has('a'), one.has('b'), other.has('a'), other.has('b')]).toEqual([true, true, true, false])
  })

  it('are told again when the cache lost them', async () => {
    const { link, open } = await setUp()
    const one = await open()
    await one.revoke('a', later())
    link.cache = await openCache({ url: 'memory:', prefix: '' })
    const other = await open()
    await soon(() => other.has('a'), true)
  })

  it('are told once the cache is back, all of them and no more than that', async () => {
    const { link, open } = await setUp()
    const [one, other] = [await open(), await open()]
    link.isCut = true
    const ids = Array.from({ length: 450 }, (_, at) => `token-${at}`)
    for (const id of ids) await expect(one.revoke(id, later())).rejects.toMatchObject({ kind: 'unavailable' })
    link.isCut = false
    await soon(() => ids.filter((id) => !other.has(id)), [])
    const { writes } = link
    await one.revoke('one-more', later())
    await soon(() => other.has('one-more'), true)
    expect(link.writes - writes).toBe(1)
  })

  it('are told again when the cache was lost while they were being told', async () => {
    const { link, open } = await setUp()
    const one = await open()
    const ids = Array.from({ length: 450 }, (_, at) => `token-${at}`)
    for (const id of ids) await one.revoke(id, later())
    const fresh = await openCache({ url: 'memory:', prefix: '' })
    let rest = 1
    const table = (name: string) => {
      const whole = fresh.table(name)
      return { ...whole, write: async (writes: readonly RowWrite[]) => (rest-- > 0 ? whole.write(writes) : cut()) }
    }
    const cut = () => Promise.reject(new DriverError('unavailable', 'cut'))
    link.cache = { ...fresh, table }
    await soon(() => rest < 0, true)
    link.cache = fresh
    const other = await open()
    await soon(() => ids.filter((id) => !other.has(id)), [])
  })

  it('go on by the own clock when another gateway’s is ahead', async () => {
    const { link, open } = await setUp()
    const one = await open()
    await one.revoke('a', later())
    const table = link.cache.table('revoked-tokens')
    const fence = Date.now() + 1_000
    await table.write([{ do: 'remove', key: 'a', fence, value: 'ended' }])
    const isThere = async () => (await table.changes('')).rows.some(({ key, is }) => key === 'a' && is === 'put')
    await soon(isThere, true)
    expect(one.has('a')).toBe(true)
  })

  it('are kept, and told to who shares a cache, by whoever hears of them', async () => {
    const folders = [mkdtempSync(join(tmpdir(), 'revoked-')), mkdtempSync(join(tmpdir(), 'revoked-'))] as const
    for (const folder of folders) closing.push(() => rmSync(folder, { recursive: true }))
    const files = (at: 0 | 1) => new RevocationFiles(join(folders[at], 'keys'))
    const { link, open } = await setUp()
    await files(0).add([{ id: 'early', until: later() }])
    const [one, other] = [await open(files(0)), await open(files(1))]
    expect([one.has('early'), other.has('early')]).toEqual([true, true])
    await other.revoke('late', later())
    await soon(() => one.has('late'), true)
    link.isCut = true
    for (const at of [0, 1] as const) {
      const alone = await open(files(at))
      expect([alone.has('early'), alone.has('late')]).toEqual([true, true])
    }
  })

  it('hold while the disk is full, and are kept when there is room', async () => {
    const kept: string[] = []
    let isFull = true
    const add = async (revoked: readonly TokenReference[]) => {
      if (isFull) throw new AppError('UNAVAILABLE', 'the disk is full')
      kept.push(...revoked.map(({ id }) => id))
    }
    const { open } = await setUp()
    const [one, other] = [await open({ ...noFiles, add }), await open()]
    await expect(one.revoke('a', later())).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(one.has('a')).toBe(true)
    await soon(() => other.has('a'), true)
    isFull = false
    await soon(() => kept, ['a'])
  })

  it('are put on disk once each, however many come at once', async () => {
    const kept: string[] = []
    let writes = 0
    const add = async (revoked: readonly TokenReference[]) => {
      writes++
      await new Promise((resolve) => setTimeout(resolve, 10))
      kept.push(...revoked.map(({ id }) => id))
    }
    const { open } = await setUp()
    const one = await open({ ...noFiles, add })
    const ids = Array.from({ length: 100 }, (_, at) => `token-${at}`)
    await Promise.all(ids.map((id) => one.revoke(id, later())))
    expect(kept.toSorted()).toEqual(ids.toSorted())
    expect(writes).toBeLessThan(5)
  })

  it('are neither told nor kept once they have ended', async () => {
    const kept: string[] = []
    const add = async (revoked: readonly TokenReference[]) => void kept.push(...revoked.map(({ id }) => id))
    const { link, open } = await setUp()
    const ended = { id: 'ended', until: Date.now() - 1_000 }
    const table = link.cache.table('revoked-tokens')
    await table.write([{ do: 'put', key: 'told', value: String(ended.until) }])
    await open({ ...noFiles, add, news: async () => [ended] })
    expect([kept, link.writes]).toEqual([[], 0])
  })

  it('let nobody in while what is on disk can not be read', async () => {
    const news = () => Promise.reject(new AppError('CONFIG_INVALID', 'others can read it'))
    const { open } = await setUp()
    await expect(open({ ...noFiles, news })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})
