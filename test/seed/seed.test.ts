import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Booted, boot } from '../e2e/boot.ts'

let platform: Booted
beforeAll(async () => {
  platform = await boot(['registry', 'broker', 'user', 'order', 'payment', 'gateway'])
})
afterAll(() => platform[Symbol.asyncDispose]())

/** A POST as the seed's curl lines send it. */
function post(
  role: string,
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return platform.fetch(role, path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
}

describe('9.7.2, the user service', () => {
  it('curl /health', async () => {
    const answer = await platform.fetch('user', '/health')
    expect(answer.status).toBe(200)
    expect(await answer.json()).toMatchObject({
      status: 'healthy',
      service: 'user-service',
      version: expect.any(String),
      timestamp: expect.stringMatching(/Z$/),
    })
  })

  it('curl /api/users gives a list', async () => {
    const users = await (await platform.fetch('user', '/api/users')).json()
    expect(users).toEqual(
      expect.arrayContaining([expect.objectContaining({ id: 1, username: 'john_doe', email: 'john@example.com' })]),
    )
    expect(users).toEqual(expect.arrayContaining([expect.objectContaining({ id: 2, username: 'jane_smith' })]))
  })

  it('curl /api/users/1', async () => {
    const answer = await platform.fetch('user', '/api/users/1')
    expect(answer.headers.get('content-type')).toContain('application/json')
    expect(await answer.json()).toEqual({
      id: 1,
      username: 'john_doe',
      email: 'john@example.com',
      created_at: expect.any(String),
    })
  })

  it('curl -X POST /api/users makes a user, and does not answer the list', async () => {
    const answer = await post('user', '/api/users', { username: 'alice', email: 'alice@example.com' })
    expect(answer.status).toBe(201)
    const user = await answer.json()
    expect(user).toMatchObject({ id: expect.any(Number), username: 'alice', email: 'alice@example.com' })
    expect(answer.headers.get('location')).toBe(`/api/users/${(user as { id: number }).id}`)
  })

  it.each(['0', '-1', 'abc', '1.5'])('refuses the id %s', async (id) => {
    const answer = await platform.fetch('user', `/api/users/${id}`)
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ error: 'Invalid user ID' })
  })

  it('wants a username and an email', async () => {
    const answer = await post('user', '/api/users', { username: 'bob' })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ error: 'Username and email are required' })
  })
})

describe('9.7.3, the order service', () => {
  it('makes an order for a user that the user service knows', async () => {
    const answer = await post('order', '/api/orders', { user_id: 1, product_name: 'Laptop', quantity: 2 })
    expect(answer.status).toBe(201)
    expect(await answer.json()).toMatchObject({
      user_id: 1,
      product_name: 'Laptop',
      quantity: 2,
      total_price: 59.98,
      status: 'pending',
    })
  })

  it('says when the user is not there', async () => {
    const answer = await post('order', '/api/orders', { user_id: 9_999, product_name: 'Laptop', quantity: 1 })
    expect(answer.status).toBe(404)
    expect(await answer.json()).toMatchObject({ error: 'User not found' })
  })

  it.each([{}, { user_id: 1, product_name: '', quantity: 1 }, { user_id: 1, product_name: 'Laptop', quantity: 0 }])(
    'refuses %j',
    async (body) => {
      const answer = await post('order', '/api/orders', body)
      expect(answer.status).toBe(400)
      expect(await answer.json()).toMatchObject({ error: 'Invalid order data' })
    },
  )

  it('lists orders, which the seed’s own service lacked', async () => {
    const { id } = (await (
      await post('order', '/api/orders', { user_id: 2, product_name: 'Mouse', quantity: 1 })
    ).json()) as { id: number }
    const orders = await (await platform.fetch('order', '/api/orders?user_id=2')).json()
    expect(orders).toEqual([expect.objectContaining({ id, user_id: 2 })])
  })
})

describe('9.7.4, the gateway', () => {
  const bearer = async (...scopes: string[]) => ({
    authorization: `Bearer ${await platform.token('alice', ...scopes)}`,
  })

  it('passes GET /gateway/api/users on, openly', async () => {
    const answer = await platform.fetch('gateway', '/gateway/api/users')
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual(expect.arrayContaining([expect.objectContaining({ id: 1 })]))
  })

  it('wants a token to make a user', async () => {
    const body = { username: 'carol', email: 'carol@example.com' }
    const refused = await post('gateway', '/gateway/api/users', body)
    expect(refused.status).toBe(401)
    expect(await refused.json()).toMatchObject({ error: 'Unauthorized' })
    expect((await post('gateway', '/gateway/api/users', body, { authorization: 'Bearer anything' })).status).toBe(401)
    expect((await post('gateway', '/gateway/api/users', body, await bearer('orders:write'))).status).toBe(403)
    expect((await post('gateway', '/gateway/api/users', body, await bearer('users:write'))).status).toBe(201)
  })

  it('wants a token for orders, and gives a user with them', async () => {
    expect((await platform.fetch('gateway', '/gateway/api/orders')).status).toBe(401)
    const headers = await bearer('orders:write', 'orders:read')
    const made = await post(
      'gateway',
      '/gateway/api/orders',
      { user_id: 1, product_name: 'Laptop', quantity: 1 },
      headers,
    )
    expect(made.status).toBe(201)
    const order = (await made.json()) as { id: number }
    expect((await platform.fetch('gateway', '/gateway/api/users/1/orders')).status).toBe(401)
    await expect
      .poll(async () => (await platform.fetch('gateway', `/gateway/api/orders/${order.id}`, { headers })).json())
      .toMatchObject({ status: 'paid' })
    const both = await platform.fetch('gateway', '/gateway/api/users/1/orders', { headers })
    expect(await both.json()).toMatchObject({
      user: { id: 1, username: 'john_doe' },
      orders: expect.arrayContaining([expect.objectContaining({ id: order.id })]),
    })
  })

  it('refuses what is not routed', async () => {
    expect((await platform.fetch('gateway', '/gateway/api/payments')).status).toBe(404)
    expect((await platform.fetch('gateway', '/api/users')).status).toBe(404)
  })
})

describe('9.7.5, the registry', () => {
  const instance = { service_name: 'my-service', host: '127.0.0.1', port: 9_001 }

  it('registers, discovers, takes heartbeats', async () => {
    const registered = await post('registry', '/registry/register', instance)
    expect(registered.status).toBe(201)
    expect(await registered.json()).toMatchObject({ status: 'registered' })
    expect(await (await platform.fetch('registry', '/registry/discover/my-service')).json()).toMatchObject({
      ...instance,
      url: 'http://127.0.0.1:9001',
    })
    expect(await (await post('registry', '/registry/heartbeat', instance)).json()).toEqual({ status: 'ok' })
  })

  it('does not know what nobody registered', async () => {
    const answer = await platform.fetch('registry', '/registry/discover/nobody')
    expect(answer.status).toBe(404)
    expect(await answer.json()).toMatchObject({ error: 'Service not found' })
    expect((await post('registry', '/registry/heartbeat', { ...instance, port: 9_999 })).status).toBe(404)
  })

  it('refuses half a registration', async () => {
    const answer = await post('registry', '/registry/register', { service_name: 'x' })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ error: 'Invalid registration data' })
  })

  it('discovers the roles that registered themselves', async () => {
    expect(await (await platform.fetch('registry', '/registry/discover/user-service')).json()).toMatchObject({
      url: platform.url('user'),
    })
  })
})
