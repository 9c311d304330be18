import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { startNats } from '../servers/nats.ts'
import { isHere } from '../servers/programs.ts'
import { boot } from './boot.ts'

interface Payment {
  readonly order_id: number
}

describe.skipIf(!isHere('nats-server'))('two brokers on one NATS', () => {
  it('push what is subscribed to at either, also when that one is gone', async () => {
    await using nats = await startNats()
    await using platform = await boot(['registry', 'broker', 'broker-2'], { platform: { bus: nats.url } })
    const pushed: unknown[] = []
    await using endpoint = createServer((request, response) => {
      pushed.push(request.headers['ce-id'])
      response.end()
    }).listen(0, '127.0.0.1')
    await once(endpoint, 'listening')
    const { port } = endpoint.address() as AddressInfo
    const ask = (role: string, path: string, body: unknown) =>
      platform.fetch(role, path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    const push = { url: `http://127.0.0.1:${port}/` }
    expect((await ask('broker', '/broker/subscriptions', { topic: 'a', group: 'g', push })).status).toBe(201)
    expect((await ask('broker-2', '/broker/publish/a', { n: 1 })).status).toBe(202)
    await expect.poll(() => pushed.length).toBe(1)
    await platform.stop('broker')
    expect((await ask('broker-2', '/broker/publish/a', { n: 2 })).status).toBe(202)
    await expect.poll(() => pushed.length).toBe(2)
  })

  it('have every order paid once, whichever of them is there', async () => {
    await using nats = await startNats()
    const roles = ['registry', 'broker', 'broker-2', 'user', 'order', 'payment', 'gateway']
    await using platform = await boot(roles, { platform: { bus: nats.url } })
    const token = await platform.token('alice', 'users:write', 'orders:write', 'orders:read')
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const make = async (path: string, body: unknown) => {
      const answer = await platform.fetch('gateway', path, { method: 'POST', headers, body: JSON.stringify(body) })
      expect(answer.status).toBe(201)
      return (await answer.json()) as { id: number }
    }
    const user = await make('/gateway/api/users', { username: 'alice', email: 'alice@example.com' })
    const orders: number[] = []
    const order = async (count: number) => {
      for (let n = 0; n < count; n++)
        orders.push((await make('/gateway/api/orders', { user_id: user.id, product_name: 'Laptop', quantity: 1 })).id)
    }
    const statuses = async () => {
      const all = await Promise.all(
        orders.map(async (id) => (await platform.fetch('gateway', `/gateway/api/orders/${id}`, { headers })).json()),
      )
      return new Set(all.map((one) => (one as { status: string }).status))
    }
    const paid = new Set(['paid'])

    await order(10)
    await expect.poll(statuses).toEqual(paid)
    for (const gone of ['broker', 'broker-2']) {
      await platform.stop(gone)
      await order(5)
      await expect.poll(statuses).toEqual(paid)
      await platform.start(gone)
    }
    await nats.kill()
    await order(5)
    await nats.start()
    await expect.poll(statuses).toEqual(paid)

    const payments = (await (await platform.fetch('payment', '/api/payments?limit=100')).json()) as Payment[]
    expect(payments.map(({ order_id }) => order_id).sort((a, b) => a - b)).toEqual(orders.sort((a, b) => a - b))
    const told = platform.entries.filter(({ service, message }) => service === 'broker' && message.startsWith('NATS '))
    expect(told.length).toBeGreaterThanOrEqual(2)
  })
})

describe.skipIf(!isHere('nats-server'))('a broker on a NATS that takes little', () => {
  it('says what is too large, how large it may be, and who says so', async () => {
    await using nats = await startNats({ config: 'max_payload: 32768' })
    await using platform = await boot(['registry', 'broker'], { platform: { bus: nats.url } })
    const publish = (path: string, body: string, headers: Record<string, string> = {}) =>
      platform.fetch('broker', `/broker/publish${path}`, { method: 'POST', headers, body })
    const large = `"${'x'.repeat(32_768)}"`
    const bytes = {
      'ce-specversion': '1.0',
      'ce-id': '1',
      'ce-source': '/s',
      'ce-type': 't',
      'content-type': 'image/png',
    }
    for (const answer of [
      await publish('/a', large),
      await publish('/a?delay=5&key=k', large),
      await publish('/a', 'x'.repeat(24_000), bytes),
    ]) {
      expect(answer.status).toBe(413)
      expect(await answer.json()).toMatchObject({
        code: 'BODY_TOO_LARGE',
        detail: expect.stringMatching(
          /^a message of a is too large: it has \d{5} bytes .* at most 28672 \(its max_payload is 32768,/,
        ),
      })
    }
    const lines = [1, large, 2].map((payload) => `{"topic":"a","payload":${payload}}`).join('\n')
    const atomic = await publish('?atomic=true', lines)
    expect(atomic.status).toBe(413)
    expect(await atomic.json()).toMatchObject({ detail: expect.stringContaining('index 1') })
    expect(await (await publish('', lines)).json()).toEqual({
      accepted: 2,
      rejected: [
        { index: 1, code: 'BODY_TOO_LARGE', detail: expect.stringMatching(/^Message at index 1: a message of a is/) },
      ],
    })
    expect((await publish('', `{"topic":"a","payload":${large}}`)).status).toBe(413)
    const topics = await (await platform.fetch('broker', '/broker/topics')).json()
    expect(topics).toMatchObject({ topics: [{ topic: 'a', messages: 2 }] })
  })
})
