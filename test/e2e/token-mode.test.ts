import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/drivers/clock.ts'
import type { Authority } from '../../src/kit/auth/authority.ts'
import { createAuthority } from '../../src/kit/auth/local-authority.ts'
import { type Booted, boot } from './boot.ts'

const ROLES = ['registry', 'config-server', 'log-server', 'broker', 'user', 'order', 'payment', 'gateway']

let platform: Booted
let authority: Authority
beforeAll(async () => {
  platform = await boot(ROLES, { platform: { auth: { mode: 'token', hosts: ['127.0.0.1'] } } })
  const folder = join(platform.settings.data, 'keys')
  authority = createAuthority({ ...platform.settings.auth, folder, clock: systemClock })
})
afterAll(() => platform[Symbol.asyncDispose]())

/** What mallory, a person, gets with a token for one audience. */
async function ask(
  role: string,
  path: string,
  audience: string,
  { scopes = [], ...init }: RequestInit & { readonly scopes?: readonly string[] } = {},
): Promise<Response> {
  const token = await authority.mint({ subject: 'mallory', audience, scopes })
  const headers = { ...init.headers, authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  return platform.fetch(role, path, { ...init, headers })
}

describe('token mode', () => {
  it('believes no word about who asks but the gateway’s', async () => {
    const body = JSON.stringify({ user_id: 1, product_name: 'Laptop', quantity: 1 })
    const scopes = ['orders:read', 'orders:write']
    const owned = (headers: Record<string, string>) => ask('order', '/api/orders', 'order-service', { headers, scopes })
    const made = await ask('order', '/api/orders', 'order-service', {
      method: 'POST',
      body,
      scopes,
      headers: { 'x-user-id': 'alice' },
    })
    expect(made.status).toBe(201)
    for (const headers of [{}, { 'x-user-id': 'alice' }, { 'x-user-id': 'bob', 'x-user-scopes': 'admin' }]) {
      expect(await (await owned(headers)).json()).toHaveLength(1)
    }
    // a person who calls himself api-gateway is a person still
    const token = await authority.mint({ subject: 'api-gateway', audience: 'order-service', scopes })
    const headers = { authorization: `Bearer ${token}`, 'x-user-id': 'mallory' }
    expect(await (await platform.fetch('order', '/api/orders', { headers })).json()).toEqual([])
  })

  it('lets nobody speak for a service, or change a configuration, without the scope', async () => {
    const instance = JSON.stringify({ service_name: 'order-service', host: '127.0.0.1', port: 1 })
    const register = (scopes: readonly string[]) =>
      ask('registry', '/registry/register', 'registry', { method: 'POST', body: instance, scopes })
    expect((await register(['registry:write'])).status).toBe(403)
    const { port } = new URL(platform.url('order'))
    for (const action of ['heartbeat', 'unhealthy', 'drain', 'deregister']) {
      const body = JSON.stringify({ service_name: 'order-service', host: '127.0.0.1', port: Number(port) })
      const answer = await ask('registry', `/registry/${action}`, 'registry', {
        method: 'POST',
        body,
        scopes: ['registry:write'],
      })
      expect(answer.status, action).toBe(403)
    }
    const put = (scopes: readonly string[]) =>
      ask('config-server', '/config/order-service/production/k', 'config-server', { method: 'PUT', body: '1', scopes })
    expect([(await put([])).status, (await put(['config:write'])).status]).toEqual([403, 200])
  })

  it('keeps its keys for its own user alone', () => {
    const folder = join(platform.settings.data, 'keys')
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    const modes = readdirSync(folder).map((name) => [name, statSync(join(folder, name)).mode & 0o777])
    expect(modes).toEqual([
      ['config-values.key', 0o600],
      ['signing.json', 0o600],
    ])
  })
})
