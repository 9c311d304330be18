import { createServer } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type NatsServer, startNats } from '../servers/nats.ts'
import { isHere } from '../servers/programs.ts'
import { freePort } from '../servers/server.ts'
import { boot } from './boot.ts'

describe.skipIf(!isHere('nats-server'))('two brokers on one NATS', () => {
  let server: NatsServer
  beforeAll(async () => {
    server = await startNats()
  })
  afterAll(() => server?.[Symbol.asyncDispose]())

  it('push what is subscribed at either, whichever of them is stopped', async () => {
    const got: string[] = []
    const endpoint = createServer((request, answer) => {
      got.push(String(request.headers['ce-id']))
      request.resume().once('end', () => answer.end())
    })
    const port = await freePort()
    endpoint.listen(port, '127.0.0.1')
    try {
      await using platform = await boot(['registry', 'broker', 'broker-2'], { platform: { bus: server.url } })
      const post = (role: string, path: string, body: unknown) =>
        platform.fetch(role, path, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        })
      const push = { url: `http://127.0.0.1:${port}/` }
      const made = await post('broker', '/broker/subscriptions', { topic: 'shop.opened', group: 'g', push })
      expect(made.status).toBe(201)
      const { id } = (await made.json()) as { id: string }
      expect((await post('broker-2', '/broker/publish/shop.opened', 1)).status).toBe(202)
      await expect.poll(() => got.length, { timeout: 10_000 }).toBe(1)

      await platform.stop('broker')
      expect((await post('broker-2', '/broker/publish/shop.opened', 2)).status).toBe(202)
      await expect.poll(() => got.length, { timeout: 15_000 }).toBe(2)

      await platform.start('broker')
      expect((await platform.fetch('broker', `/broker/subscriptions/${id}`, { method: 'DELETE' })).status).toBe(204)
      const gone = () => post('broker-2', `/broker/subscriptions/${id}/pull`, undefined)
      await expect.poll(async () => (await gone()).status, { timeout: 10_000 }).toBe(404)
    } finally {
      endpoint.close()
    }
  })
})
