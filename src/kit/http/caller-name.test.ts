import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { type Asker, LOCAL, NOBODY } from '../auth/asker.ts'
import { runInScope } from '../telemetry/scope.ts'
import type { AppEnv } from './app-env.ts'
import { callerKey, callerName } from './caller-name.ts'

const as = (is: 'user' | 'service', subject: string) => ({ is, subject, scopes: new Set<string>() })

describe('callerKey', () => {
  it('tells a person from a service of his name, and both from an address', () => {
    const keys = [as('user', 'payment-service'), as('service', 'payment-service'), as('user', '10.0.0.1')]
      .map((caller) => callerKey(caller, '10.0.0.1'))
      .concat(callerKey(NOBODY, '10.0.0.1'))
    expect(new Set(keys).size).toBe(4)
  })

  it('counts as one what an IPv6 client owns, and an IPv4 address in whatever clothes', () => {
    const key = (address: string) => callerKey(NOBODY, address)
    const clothed: readonly (readonly [string, string])[] = [
      ['2001:db8:1:2::1', '2001:db8:1:2:ffff::2'],
      ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::9'],
      ['::1', '0:0:0:0::2'],
      ['::ffff:10.0.0.1', '10.0.0.1'],
    ]
    for (const [one, other] of clothed) expect(key(one)).toBe(key(other))
    expect(key('2001:db8:1:2::1')).not.toBe(key('2001:db8:1:3::1'))
  })
})

describe('callerName', () => {
  const nameOf = async (headers: Record<string, string>, asker: Asker) => {
    const app = new Hono<AppEnv>().get('/', (c) => c.text(callerName(c)))
    const span = { traceId: '', spanId: '', sampled: false, setAttribute() {}, rename() {}, end() {} }
    const answer = await runInScope({ span, requestId: '', asker }, () => app.request('/', { headers }))
    return answer.text()
  }

  it('finds nobody by the first address of the way he came', async () => {
    const key = (list: string) => nameOf({ 'x-forwarded-for': list }, NOBODY)
    expect(await key('2001:db8:1:2::1, 10.0.0.9')).toBe(callerKey(NOBODY, '2001:db8:1:2::2'))
    expect(await key('10.0.0.1,10.0.0.2')).toBe(callerKey(NOBODY, '10.0.0.1'))
    for (const odd of [':', '1:2:3:4:5:6:7:8:9::1:2', 'x'.repeat(10_000), '::::', ',']) {
      expect((await key(odd)).length, odd).toBeLessThan(300)
    }
  })

  it('finds a local program by what it says of itself', async () => {
    expect(await nameOf({ 'user-agent': 'a' }, LOCAL)).not.toBe(await nameOf({ 'user-agent': 'b' }, LOCAL))
  })
})
