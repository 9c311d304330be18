import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Booted, boot } from './boot.ts'
import { PLACES, type Place } from './places.ts'

const ROLES = ['registry', 'config-server', 'log-server', 'broker', 'user', 'order', 'payment', 'gateway']

interface SpanView {
  readonly span_id: string
  readonly parent_span_id?: string | null
  readonly service: string
  readonly operation: string
}

describe.each(PLACES)('an order’s whole journey on $on', ({ isHere, open }) => {
  let place: Place
  let platform: Booted
  beforeAll(async () => {
    if (!isHere) return
    place = await open()
    platform = await boot(ROLES, place)
  })
  afterAll(async () => {
    await platform?.[Symbol.asyncDispose]()
    await place?.[Symbol.asyncDispose]()
  })
  beforeEach(({ skip }) => skip(!isHere))

  async function json<T>(role: string, path: string, headers: Readonly<Record<string, string>> = {}): Promise<T> {
    return (await (await platform.fetch(role, path, { headers })).json()) as T
  }

  it('is paid, is one trace over all services, is logged by each and counted by each', async () => {
    const token = await platform.token('alice', 'users:write', 'orders:write', 'orders:read')
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const make = (path: string, body: unknown) =>
      platform.fetch('gateway', path, { method: 'POST', headers, body: JSON.stringify(body) })

    const user = (await (
      await make('/gateway/api/users', { username: 'alice', email: 'alice@example.com' })
    ).json()) as { id: number }
    const made = await make('/gateway/api/orders', { user_id: user.id, product_name: 'Laptop', quantity: 1 })
    expect(made.status).toBe(201)
    const traceId = made.headers.get('x-trace-id') ?? ''
    const { id } = (await made.json()) as { id: number }

    await expect.poll(() => json('gateway', `/gateway/api/orders/${id}`, headers)).toMatchObject({ status: 'paid' })
    expect(await json('gateway', `/gateway/api/users/${user.id}/orders`, headers)).toMatchObject({
      user: { id: user.id },
      orders: [{ id, status: 'paid' }],
    })

    const services = async () => {
      const { spans = [] } = await json<{ spans?: SpanView[] }>('log-server', `/traces/${traceId}`)
      return [...new Set(spans.map(({ service }) => service))].sort()
    }
    const everyone = ['api-gateway', 'broker', 'order-service', 'payment-service', 'user-service']
    await expect.poll(services).toEqual(everyone)
    const isOneTree = async () => {
      const { spans } = await json<{ spans: SpanView[] }>('log-server', `/traces/${traceId}`)
      const known = new Set(spans.map(({ span_id }) => span_id))
      return spans
        .filter(({ parent_span_id }) => !parent_span_id || !known.has(parent_span_id))
        .map(({ service }) => service)
    }
    await expect.poll(isOneTree).toEqual(['api-gateway'])

    const loggers = async () => {
      const { entries } = await json<{ entries: { service: string }[] }>(
        'log-server',
        `/logs?trace_id=${traceId}&limit=100`,
      )
      return [...new Set(entries.map(({ service }) => service))].sort()
    }
    await expect.poll(loggers).toEqual(everyone)

    for (const role of ROLES) {
      const metrics = async () => (await platform.fetch(role, '/metrics')).text()
      // what has handled a message counts it a moment after others see what came of it
      await expect
        .poll(metrics, { message: role })
        .toMatch(
          role === 'payment'
            ? /^messages_handled_total\{topic="order.created",outcome="handled".*\} 1$/m
            : /^http_requests_total\{.*status="2\d\d".*\} [1-9]/m,
        )
    }
  })

  it('keeps one user’s order from another', async () => {
    const as = async (subject: string, ...scopes: string[]) => ({
      authorization: `Bearer ${await platform.token(subject, ...scopes)}`,
    })
    const alice = await as('alice', 'orders:write', 'orders:read')
    const made = await platform.fetch('gateway', '/gateway/api/orders', {
      method: 'POST',
      headers: { ...alice, 'content-type': 'application/json' },
      body: JSON.stringify({ user_id: 1, product_name: 'Laptop', quantity: 1 }),
    })
    const { id } = (await made.json()) as { id: number }
    const mallory = await as('mallory', 'orders:write', 'orders:read')
    const forged = { ...mallory, 'x-user-id': 'alice', X_User_Id: 'alice' }
    expect((await platform.fetch('gateway', `/gateway/api/orders/${id}`, { headers: mallory })).status).toBe(404)
    expect((await platform.fetch('gateway', `/gateway/api/orders/${id}`, { headers: forged })).status).toBe(404)
    expect(
      (await platform.fetch('gateway', `/gateway/api/orders/${id}`, { method: 'DELETE', headers: mallory })).status,
    ).toBe(404)
    expect((await platform.fetch('gateway', `/gateway/api/orders/${id}`, { headers: alice })).status).toBe(200)
  })

  it('sells at the price that the config server says, at once', async () => {
    const put = await platform.fetch('config-server', '/config/order-service/development/prices', {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ value: { Keyboard: 49.5 } }),
    })
    expect(put.status).toBeLessThan(300)
    const total = async () => {
      const made = await platform.fetch('order', '/api/orders', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ user_id: 1, product_name: 'Keyboard', quantity: 2 }),
      })
      return ((await made.json()) as { total_price: number }).total_price
    }
    await expect.poll(total).toBe(99)
  })
})
