import { request } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { systemClock as clock } from '../../src/drivers/clock.ts'
import type { Authority, TokenRequest } from '../../src/kit/auth/authority.ts'
import { createAuthority } from '../../src/kit/auth/local-authority.ts'
import { type Booted, boot } from './boot.ts'

let platform: Booted
let authority: Authority
let door: string
beforeAll(async () => {
  platform = await boot(['registry', 'user', 'outbound'], {
    platform: { auth: { mode: 'token', hosts: ['api.example.com'] } },
    sections: { outbound: { doors: [{ caller: 'catalog', upstream: 'user-service', port: 0 }] } },
  })
  authority = createAuthority({ ...platform.settings.auth, folder: join(platform.settings.data, 'keys'), clock })
  door = platform.loopback('outbound')[0] ?? ''
  await vi.waitUntil(async () => (await fetch(`${door}/livez`)).ok, 20_000)
})
afterAll(() => platform[Symbol.asyncDispose]())

it('lends nobody an identity', async () => {
  const answer = await fetch(`${door}/api/users`)
  expect([answer.status, await answer.json()]).toEqual([401, expect.objectContaining({ code: 'UNAUTHENTICATED' })])
})

it('passes the token on that the calling service brings', async () => {
  const token = await authority.mint({ subject: 'catalog', audience: 'user-service', scopes: ['users:read'] })
  const answer = await fetch(`${door}/api/users`, { headers: { authorization: `Bearer ${token}` } })
  expect([answer.status, await answer.json()]).toEqual([200, expect.any(Array)])
})

it('exchanges the token of the service that the door is for, for one that is good for its upstream alone', async () => {
  const claims = { subject: 'catalog', service: true, scopes: ['users:read'] }
  const own = { ...claims, audience: ['outbound', 'registry'] }
  const ask = async (request: TokenRequest) => {
    const authorization = `Bearer ${await authority.mint(request)}`
    return (await fetch(`${door}/api/users`, { headers: { authorization } })).status
  }
  expect(await ask(own)).toBe(200)
  expect(await ask({ ...own, scopes: ['logs:write'] })).toBe(403)
  // what an upstream was sent by another door
  expect(await ask({ ...claims, audience: 'order-service' })).toBe(401)
  expect(await ask({ ...own, subject: 'till' })).toBe(401)
  expect(await ask({ ...own, service: false })).toBe(401)
})

it.each(['api.example.com', '10.0.0.1'])(
  'serves loopback names alone, and so not %s, which the roles serve',
  async (host) => {
    const statusAt = (url: string) => {
      const { promise, resolve, reject } = Promise.withResolvers<number | undefined>()
      request(url, { headers: { host } }, (answer) => resolve(answer.resume().statusCode))
        .on('error', reject)
        .end()
      return promise
    }
    expect(await statusAt(`${platform.url('user')}/livez`)).toBe(200)
    expect(await statusAt(`${door}/livez`)).toBe(403)
  },
)
