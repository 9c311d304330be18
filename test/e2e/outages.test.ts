import { once } from 'node:events'
import { createServer } from 'node:http'
import { describe, expect, it } from 'vitest'
import { boot } from './boot.ts'

const order = (userId: number) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ user_id: userId, product_name: 'Laptop', quantity: 1 }),
})

describe('outages', () => {
  it('routes from the last known list while the registry is away, and registers again when it is back', async () => {
    await using platform = await boot(['registry', 'user', 'gateway'])
    const users = () => platform.fetch('gateway', '/gateway/api/users/1').then(({ status }) => status)
    await expect.poll(users).toBe(200)
    await platform.stop('registry')
    for (let i = 0; i < 20; i++) expect(await users()).toBe(200)
    await platform.start('registry')
    const discovered = () => platform.fetch('registry', '/registry/discover/user-service').then(({ status }) => status)
    await expect.poll(discovered).toBe(200)
    expect(await users()).toBe(200)
  })

  it('takes orders in a process that starts while the registry hangs', async () => {
    await using platform = await boot(['registry', 'user', 'order'])
    const make = () => platform.fetch('order', '/api/orders', order(1)).then(({ status }) => status)
    await expect.poll(make).toBe(201)
    const { port } = new URL(platform.url('registry'))
    await platform.stop('order')
    await platform.stop('registry')
    const hanging = createServer(() => {})
    await once(hanging.listen(Number(port), '127.0.0.1'), 'listening')
    await platform.start('order')
    expect(await make()).toBe(201)
    hanging.closeAllConnections()
    hanging.close()
  })

  it('keeps orders while the broker is away, and pays them when it is back', async () => {
    await using platform = await boot(['registry', 'broker', 'user', 'order', 'payment'])
    await platform.stop('broker')
    const made = await platform.fetch('order', '/api/orders', order(1))
    expect(made.status).toBe(201)
    const { id } = (await made.json()) as { id: number }
    await platform.start('broker')
    const status = async () =>
      ((await (await platform.fetch('order', `/api/orders/${id}`)).json()) as { status: string }).status
    await expect.poll(status).toBe('paid')
  })

  it('pays once what was ordered while payment was away', async () => {
    await using platform = await boot(['registry', 'broker', 'user', 'order', 'payment'])
    await platform.stop('payment')
    const ids = await Promise.all(
      Array.from(
        { length: 5 },
        async () => ((await (await platform.fetch('order', '/api/orders', order(1))).json()) as { id: number }).id,
      ),
    )
    await platform.start('payment')
    const pending = async () =>
      ((await (await platform.fetch('order', '/api/orders?status=pending')).json()) as unknown[]).length
    await expect.poll(pending).toBe(0)
    for (const id of ids) {
      expect(await (await platform.fetch('payment', `/api/payments?order_id=${id}`)).json()).toHaveLength(1)
    }
  })

  it('loses no request when the log server is away', async () => {
    await using platform = await boot(['registry', 'log-server', 'user'])
    await platform.stop('log-server')
    for (let i = 0; i < 150; i++) expect((await platform.fetch('user', '/api/users/1')).status).toBe(200)
    await platform.start('log-server')
    const entries = async () =>
      (
        (await (await platform.fetch('log-server', '/logs?service=user-service&q=GET')).json()) as {
          entries: unknown[]
        }
      ).entries.length
    await expect.poll(entries).toBeGreaterThan(0)
  })

  it('tells a caller which service is missing', async () => {
    await using platform = await boot(['registry', 'gateway'])
    const answer = await platform.fetch('gateway', '/gateway/api/users/1')
    expect(answer.status).toBe(503)
    expect(await answer.json()).toMatchObject({ status: 503, detail: expect.stringContaining('user-service') })
  })
})

describe('token mode', () => {
  it('wants a token of every caller, and lets the platform’s own calls through', async () => {
    await using platform = await boot(['registry', 'broker', 'log-server', 'user', 'order', 'payment', 'gateway'], {
      platform: { auth: { mode: 'token', hosts: ['127.0.0.1'] } },
    })
    for (const role of ['registry', 'broker', 'log-server', 'user', 'order', 'payment']) {
      expect((await platform.fetch(role, '/anything')).status, role).toBe(401)
      expect((await platform.fetch(role, '/health')).status, role).toBe(200)
    }
    const headers = { authorization: `Bearer ${await platform.token('alice', 'orders:write', 'orders:read')}` }
    const make = () =>
      platform.fetch('gateway', '/gateway/api/orders', {
        ...order(1),
        headers: { ...headers, 'content-type': 'application/json' },
      })
    await expect.poll(async () => (await make()).status).toBe(201)
    const paid = async () =>
      ((await (await platform.fetch('gateway', '/gateway/api/orders', { headers })).json()) as { status: string }[])[0]
        ?.status
    await expect.poll(paid).toBe('paid')
    // a user's token is for the gateway, not for the services behind it
    expect((await platform.fetch('order', '/api/orders', { headers })).status).toBe(401)
  })
})
