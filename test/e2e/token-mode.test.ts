import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as z from 'zod'
import { systemClock } from '../../src/drivers/clock.ts'
import type { Authority } from '../../src/kit/auth/authority.ts'
import { createAuthority } from '../../src/kit/auth/local-authority.ts'
import { SERVICE_SCOPES } from '../../src/kit/auth/scopes.ts'
import { EntryPage, TracePage } from '../../src/roles/log-server/contract.ts'
import { Order } from '../../src/roles/order/contract.ts'
import { ServiceList } from '../../src/roles/registry/contract.ts'
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
  it('works among the services themselves: an order is placed, paid at a configured price, logged and traced', async () => {
    const set = await ask('config-server', '/config/order-service/development/prices', 'config-server', {
      method: 'PUT',
      body: '{"Laptop":12.34}',
      scopes: ['config:write'],
    })
    expect(set.status).toBe(200)
    const headers = {
      authorization: `Bearer ${await platform.token('ann', 'orders:write')}`,
      'content-type': 'application/json',
    }
    const body = JSON.stringify({ user_id: 1, product_name: 'Laptop', quantity: 1 })
    const price = async () => {
      const made = await platform.fetch('gateway', '/gateway/api/orders', { method: 'POST', headers, body })
      return Order.parse(await made.json()).total_price
    }
    await expect.poll(price).toBe(12.34)
    const statuses = async () => {
      const orders = await platform.fetch('gateway', '/gateway/api/orders', { headers })
      const all = z.array(Order).parse(await orders.json())
      return [...new Set(all.map(({ status }) => status))]
    }
    await expect.poll(statuses).toEqual(['paid'])

    const scopes = ['logs:read']
    const everyone = ['broker', 'user-service', 'order-service', 'payment-service', 'api-gateway']
    // of each the last: the newest of all are of those who are asked meanwhile
    const logged = (service: string) => async () => {
      const entries = await ask('log-server', `/logs?limit=1&service=${service}`, 'log-server', { scopes })
      return EntryPage.parse(await entries.json()).entries.map((entry) => entry.service)
    }
    const traced = (service: string) => async () => {
      const traces = await ask('log-server', `/traces?limit=1&service=${service}`, 'log-server', { scopes })
      return TracePage.parse(await traces.json()).traces.flatMap((trace) => trace.services)
    }
    for (const service of everyone) {
      await expect.poll(logged(service)).toEqual([service])
      await expect.poll(traced(service)).toContain(service)
    }
    const list = await ask('registry', '/registry/services', 'registry', { scopes: ['registry:read'] })
    const registered = ServiceList.parse(await list.json()).services.filter(({ healthy }) => healthy === 1)
    expect(registered.map(({ service_name }) => service_name)).toEqual(
      [...everyone, 'config-server', 'log-server'].toSorted(),
    )
  })

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
      ask('config-server', '/config/shop-service/production/k', 'config-server', { method: 'PUT', body: '1', scopes })
    expect([(await put([])).status, (await put(['config:write'])).status]).toEqual([403, 200])
  })

  it('lets a service write logs and spans in its own name, and read its own configuration, alone', async () => {
    const asShop = async (role: string, path: string, init: RequestInit = {}) => {
      const token = await authority.mint({
        subject: 'shop-service',
        audience: role,
        scopes: SERVICE_SCOPES,
        service: true,
      })
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      const answer = await platform.fetch(role, path, { ...init, headers })
      return { status: answer.status, body: await answer.text() }
    }
    const entry = (service: string) => ({ level: 'CRITICAL', service, message: 'paid in full' })
    const span = (service: string) => ({
      trace_id: 'a'.repeat(32),
      span_id: 'b'.repeat(16),
      service,
      operation: 'o',
      start: '2026-01-01T00:00:00Z',
      duration_ms: 1,
    })
    const made: Readonly<Record<string, (service: string) => object>> = { '/logs': entry, '/traces': span }
    for (const [path, make] of Object.entries(made)) {
      const write = (...services: string[]) =>
        asShop('log-server', path, { method: 'POST', body: JSON.stringify(services.map((service) => make(service))) })
      expect((await write('shop-service')).status).toBe(202)
      expect(await write('shop-service', 'payment-service')).toMatchObject({
        status: 202,
        body: expect.stringMatching(/^\{"accepted":1,"rejected":\[\{"index":1,"code":"FORBIDDEN",.*payment-service's/),
      })
      expect((await write('payment-service')).status).toBe(403)
    }
    const forged = await ask('log-server', '/logs?level=CRITICAL', 'log-server', { scopes: ['logs:read'] })
    expect(await forged.json()).toMatchObject({
      entries: [{ service: 'shop-service' }, { service: 'shop-service' }],
      next: null,
    })

    for (const service of ['shop-service', 'payment-service', '_default']) {
      const answer = await ask('config-server', `/config/${service}/production/k?force=true`, 'config-server', {
        method: 'PUT',
        body: '1',
        scopes: ['config:write'],
      })
      expect(answer.status).toBe(200)
    }
    const statuses = async (service: string) => {
      const paths = ['', '/k', '/history'].map((rest) => `/config/${service}/production${rest}`)
      return Promise.all(paths.map(async (path) => (await asShop('config-server', path)).status))
    }
    expect(await statuses('shop-service')).toEqual([200, 200, 200])
    expect(await statuses('_default')).toEqual([200, 200, 200])
    expect(await statuses('payment-service')).toEqual([403, 403, 403])
    expect((await asShop('config-server', '/config/watch?service=payment-service')).status).toBe(403)
    const { body } = await asShop('config-server', '/config')
    expect(body).toContain('shop-service')
    expect(body).not.toContain('payment-service')
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
