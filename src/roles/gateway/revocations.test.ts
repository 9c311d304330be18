import { afterEach, describe, expect, it } from 'vitest'
import type { Cache } from '../../drivers/cache/contract.ts'
import { openCache } from '../../drivers/cache/open.ts'
import { systemClock } from '../../drivers/clock.ts'
import { DriverError } from '../../drivers/driver-error.ts'
import { silentLog } from '../../kit/telemetry/testing/recorded-log.ts'
import { Revocations } from './revocations.ts'
import { type GatewayUnderTest, startGateway } from './testing/gateway-under-test.ts'

const SOON = { timeout: 2_000, interval: 20 }

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

describe('Revocations', () => {
  /** A cache that can be cut off, and lost. */
  async function setUp() {
    const link = { isCut: false, cache: await openCache({ url: 'memory:', prefix: '' }) }
    async function open() {
      const table = () => {
        if (link.isCut) throw new DriverError('unavailable', 'cut')
        return link.cache.table('revoked-tokens')
      }
      const revocations = new Revocations({
        table: { write: async (writes) => table().write(writes), changes: async (cursor) => table().changes(cursor) },
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
    await expect.poll(() => other.has('a'), SOON).toBe(true)
    expect((await open()).has('a')).toBe(true)
  })

  it('hold while the cache is away, and are not promised to all', async () => {
    const { link, open } = await setUp()
    const [one, other] = [await open(), await open()]
    await one.revoke('a', later())
    await expect.poll(() => other.has('a'), SOON).toBe(true)
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
    await expect.poll(() => other.has('a'), SOON).toBe(true)
  })
})
