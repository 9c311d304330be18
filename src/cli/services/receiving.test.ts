import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { expect, it, onTestFinished, vi } from 'vitest'
import * as z from 'zod'
import { portOf } from '../../kit/http/port-of.ts'
import { createReceiving, type Receipt } from './receiving.ts'

const Wanted = z.object({ topic: z.string(), group: z.string(), push: z.object({ url: z.string() }) })

/** A broker that keeps what it is told, and refuses what the test says. */
async function broker() {
  const made = new Map<string, string>()
  const refusing: { status: number; times: number; group?: string } = { status: 0, times: 0 }
  const server = createServer(async (incoming, outgoing) => {
    if (refusing.status !== 0 && refusing.group === undefined) {
      refusing.times++
      outgoing.writeHead(refusing.status).end('{"detail":"no room"}')
      return
    }
    if (incoming.method === 'DELETE') {
      const isKnown = made.delete((incoming.url ?? '').split('/').at(-1) ?? '')
      outgoing.writeHead(isKnown ? 204 : 404).end(isKnown ? undefined : '{}')
      return
    }
    const { topic, group, push } = Wanted.parse(await json(incoming))
    if (group === refusing.group) {
      outgoing.writeHead(refusing.status).end('{"detail":"no room"}')
      return
    }
    made.set(`${group}-${topic}`, push.url)
    outgoing.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ id: `${group}-${topic}` }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { made, refusing, url: `http://127.0.0.1:${portOf(server)}` }
}

function receiving(url: string, data: string, firstPauseMs = 200) {
  const warned: string[] = []
  const authority = { mode: 'local' as const, serviceToken: () => expect.fail('nobody wants one') }
  const made = createReceiving({ url, authority, data, warn: (words) => void warned.push(words), firstPauseMs })
  onTestFinished(() => made.close())
  return { ...made, warned }
}

function folder() {
  const made = mkdtempSync(join(tmpdir(), 'msvc-receiving-'))
  onTestFinished(() => rmSync(made, { recursive: true }))
  return made
}

const receipt = (service: string, topic: string, url = 'http://127.0.0.1:1/events'): Receipt => ({
  service,
  topic,
  url,
  maxDeliver: undefined,
  ackWait: undefined,
})

it('makes what is wanted, changes it, and ends what is wanted no more, also after a restart', async () => {
  const { made, url } = await broker()
  const data = folder()
  const first = receiving(url, data)
  first.set([receipt('shop', 'a'), receipt('shop', 'b')])
  await vi.waitUntil(() => made.size === 2, { timeout: 20_000 })
  first.set([receipt('shop', 'a', 'http://127.0.0.1:2/events'), receipt('shop', 'b')])
  await vi.waitUntil(() => made.get('shop-a') === 'http://127.0.0.1:2/events', { timeout: 20_000 })
  await first.close()
  made.set('shop-mine', 'made by hand')
  const second = receiving(url, data)
  second.set([receipt('shop', 'b')])
  await vi.waitUntil(() => !made.has('shop-a'), { timeout: 20_000 })
  expect([...made.keys()].sort()).toEqual(['shop-b', 'shop-mine'])
})

it('says it again to a broker that was away, and tells once of what is refused', async () => {
  const { made, refusing, url } = await broker()
  const { set, warned } = receiving(url, folder())
  refusing.status = 503
  set([receipt('shop', 'a')])
  await vi.waitUntil(() => refusing.times >= 2, { timeout: 20_000 })
  expect(warned).toEqual([])
  refusing.status = 0
  await vi.waitUntil(() => made.has('shop-a'), { timeout: 20_000 })
  refusing.status = 403
  set([receipt('shop', 'b')])
  await vi.waitUntil(() => warned.length > 0, { timeout: 20_000 })
  refusing.status = 0
  set([receipt('shop', 'c')])
  await vi.waitUntil(() => made.has('shop-c'), { timeout: 20_000 })
  expect(warned).toEqual(['the broker refuses what shop receives: no room (status 403)'])
})

it.each([403, 429, 503])(
  'subscribes all others where one fails by %i, keeps what it made, and tells it once',
  async (status) => {
    const { made, refusing, url } = await broker()
    const data = folder()
    const { set, warned } = receiving(url, data, 20)
    Object.assign(refusing, { status, group: 'bad' })
    set([receipt('bad', 'a'), receipt('shop', 'a'), receipt('till', 'a')])
    await vi.waitUntil(() => made.size === 2, { timeout: 20_000 })
    const kept = () => readFileSync(join(data, 'services', 'subscriptions.json'), 'utf8')
    await vi.waitFor(() => expect(JSON.parse(kept())).toMatchObject([{ service: 'shop' }, { service: 'till' }]), {
      timeout: 20_000,
    })
    await vi.waitUntil(() => warned.length > 0, { timeout: 20_000 })
    expect(warned).toEqual([expect.stringContaining(`what bad receives: no room (status ${status})`)])
    set([receipt('bad', 'a'), receipt('shop', 'a')])
    await vi.waitUntil(() => !made.has('till-a'), { timeout: 20_000 })
    expect(made.has('shop-a')).toBe(true)
    refusing.group = 'nobody'
    set([receipt('bad', 'a'), receipt('shop', 'a')])
    await vi.waitUntil(() => made.has('bad-a'), { timeout: 20_000 })
    expect(warned).toHaveLength(1)
  },
)

it('keeps what was made before in mind where it can not be changed now, so that it can be ended', async () => {
  const { made, refusing, url } = await broker()
  const { set, warned } = receiving(url, folder())
  set([receipt('bad', 'a'), receipt('shop', 'a')])
  await vi.waitUntil(() => made.size === 2, { timeout: 20_000 })
  Object.assign(refusing, { status: 403, group: 'bad' })
  set([receipt('bad', 'a', 'http://127.0.0.1:2/events')])
  await vi.waitUntil(() => warned.length > 0 && !made.has('shop-a'), { timeout: 20_000 })
  set([])
  await vi.waitUntil(() => made.size === 0, { timeout: 20_000 })
})

it('says of a broker that stays away that it does, once for all', async () => {
  const { set, warned } = receiving('http://127.0.0.1:1', folder(), 5)
  set([receipt('shop', 'a'), receipt('till', 'a')])
  await vi.waitUntil(() => warned.length > 0, { timeout: 20_000 })
  expect(warned).toEqual([
    'the broker at http://127.0.0.1:1 does not answer: services get no messages that they were not subscribed to before',
  ])
})
