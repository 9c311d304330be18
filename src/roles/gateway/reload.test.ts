import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { startGateway } from './testing/gateway-under-test.ts'

const SHOP = { prefix: '/shop', upstream: 'shop', methods: { GET: 'public' } } as const
const TILL = { prefix: '/till', upstream: 'till', methods: { GET: 'public' } } as const
const LIMIT = { per_second: 0.001, burst: 2 }

describe('a gateway whose routes change while it runs', () => {
  it('goes by the new ones from the next request on', async () => {
    await using gateway = await startGateway({ routes: { shop: SHOP } })
    await gateway.serve('shop', (_, answer) => void answer.end('shop'))
    await gateway.serve('till', (_, answer) => void answer.end('till'))
    const statusOf = async (path: string, method = 'GET') => (await gateway.fetch(path, { method })).status
    expect([await statusOf('/till'), await statusOf('/shop', 'POST')]).toEqual([404, 405])
    gateway.reload({ routes: { shop: { ...SHOP, methods: { GET: 'token', POST: 'public' } }, till: TILL } })
    expect([await statusOf('/till'), await statusOf('/shop', 'POST'), await statusOf('/shop')]).toEqual([200, 200, 401])
    gateway.reload({ routes: { till: TILL } })
    expect([await statusOf('/till'), await statusOf('/shop')]).toEqual([200, 404])
  })

  it('lets requests under way and streams end by the old ones', async () => {
    await using gateway = await startGateway({ routes: { shop: SHOP } })
    const asked: ServerResponse[] = []
    const server = await gateway.serve('shop', (incoming, answer) => {
      if (incoming.url === '/shop/stream') answer.writeHead(200, { 'content-type': 'text/event-stream' }).write('a')
      asked.push(answer)
    })
    const slow = gateway.fetch('/shop/slow')
    await once(server, 'request')
    const stream = await gateway.fetch('/shop/stream')
    gateway.reload({ routes: {} })
    expect((await gateway.fetch('/shop/slow')).status).toBe(404)
    for (const answer of asked) answer.end('b')
    expect([await (await slow).text(), await stream.text()]).toEqual(['b', 'ab'])
  })

  it('counts on by the limits that stay', async () => {
    const limited = { ...SHOP, read_limit: LIMIT }
    await using gateway = await startGateway({ routes: { shop: limited } })
    await gateway.serve('shop', (_, answer) => void answer.end('shop'))
    const statusOf = async () => (await gateway.fetch('/shop')).status
    expect(await statusOf()).toBe(200)
    gateway.reload({ routes: { shop: { ...limited, methods: { GET: 'public', POST: 'public' } }, till: TILL } })
    expect([await statusOf(), await statusOf()]).toEqual([200, 429])
    gateway.reload({ routes: { shop: { ...limited, read_limit: { ...LIMIT, burst: 1 } } } })
    expect([await statusOf(), await statusOf()]).toEqual([200, 429])
  })
})
