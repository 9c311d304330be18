import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it, vi } from 'vitest'
import type { BusConsumer, Delivery, ReturnOptions } from '../../drivers/bus/consumer.ts'
import { systemClock } from '../../drivers/clock.ts'
import { DriverError } from '../../drivers/driver-error.ts'
import { portOf } from '../../kit/http/port-of.ts'
import { aborted } from '../../kit/pause.ts'
import { createMetrics } from '../../kit/telemetry/metrics.ts'
import { silentLog } from '../../kit/telemetry/testing/recorded-log.ts'
import { createTracing } from '../../kit/telemetry/tracer.ts'
import { refusingPort } from '../../kit/upstream/testing/refusing-port.ts'
import { createBrokerMetrics } from './broker-metrics.ts'
import { createPushDelivery, type PushDeliveryOptions } from './push-delivery.ts'
import { runBroker } from './testing/running-broker.ts'

interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

type Reply = { readonly status: number; readonly headers?: Record<string, string> } | 'silence'

/** An endpoint that takes messages, answering as `reply` says. */
async function endpoint(reply: (received: Received, count: number) => Reply = () => ({ status: 204 })) {
  const received: Received[] = []
  const server = createServer(async (incoming, outgoing) => {
    const message = { path: incoming.url ?? '', headers: incoming.headers, body: await text(incoming) }
    received.push(message)
    const answer = reply(message, received.length)
    if (answer !== 'silence') outgoing.writeHead(answer.status, answer.headers).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    received,
    url: `http://127.0.0.1:${portOf(server)}/hook`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Of a bus whose figures nobody asks for. */
const UNASKED = { subscriptions: async () => [], countDeadLetters: async () => 0, countDelayed: async () => 0 }

/** Delivers one message to an endpoint, by a bus that does as the test says. */
function pushing(
  url: string,
  does: Partial<Pick<PushDeliveryOptions['bus'], 'ack' | 'nack'> & Pick<PushDeliveryOptions, 'tokenFor'>>,
) {
  const stop = new AbortController()
  const { tokenFor = async () => undefined, ...answers } = does
  const left: Delivery[] = [
    { id: 'm', topic: 'a', payload: '1', attributes: {}, offset: 1, timestamp: 0, delivery: 1, ack: 't' },
  ]
  const push = createPushDelivery({
    bus: {
      pull: async (_, { signal }) => (left.length > 0 ? left.splice(0) : aborted(signal).then(() => [])),
      ack: async () => 1,
      nack: async () => 1,
      ...answers,
    },
    metrics: createBrokerMetrics(createMetrics('broker'), UNASKED),
    tracing: createTracing({ service: 'broker', clock: systemClock, ship: () => {} }),
    log: silentLog,
    now: Date.now,
    signal: stop.signal,
    tokenFor,
    placeOf: (url) => ({ url, done: () => {} }),
  })
  push.update({ id: 's', topic: 'a', push: { url }, ackWaitMs: 30_000, maxDeliver: 5, giveUpAfterMs: 60_000 })
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await push.stopped()
    },
  }
}

describe('push delivery', () => {
  it('posts each message as a CloudEvent and takes 2xx for an acknowledgement', async () => {
    await using broker = await runBroker()
    await using hook = await endpoint()
    const { body } = await broker.call('POST', '/broker/subscriptions', { topic: 'a.>', push: { url: hook.url } })
    expect(body.push).toEqual({ url: hook.url })
    const event = { 'ce-specversion': '1.0', 'ce-id': 'né', 'ce-source': '/s', 'ce-type': 'T', 'ce-subject': 'x' }
    const encoded = { ...event, 'ce-id': 'n%C3%A9' }
    await broker.call('POST', '/broker/publish/a.b', '{"n": 1}', { ...encoded, 'content-type': 'application/json' })
    await broker.call('POST', '/broker/publish/a.c', '2')
    await vi.waitUntil(() => hook.received.length === 2, { timeout: 20_000 })
    const [one, two] = hook.received.toSorted((a, b) => b.body.length - a.body.length)
    expect(one?.body).toBe('{"n": 1}')
    expect(one?.headers).toMatchObject({ ...encoded, 'content-type': 'application/json' })
    expect(two?.headers).toMatchObject({ 'ce-source': '/broker', 'ce-type': 'a.c', 'ce-time': expect.any(String) })
    await vi.waitUntil(async () => (await broker.call('GET', `/broker/subscriptions/${body.id}`)).body.pending === 0, {
      timeout: 20_000,
    })
  })

  it('posts the messages of one key one after the other, one that was not taken before those behind it', async () => {
    await using broker = await runBroker()
    await using hook = await endpoint((_, count) => ({ status: count === 1 ? 500 : 204 }))
    await broker.call('POST', '/broker/subscriptions', { topic: 'a', push: { url: hook.url } })
    const lines = ['x1', 'x2', 'x3', 'y1'].map((id) => `{"topic":"a","payload":"${id}","key":"${id[0]}"}`)
    await broker.call('POST', '/broker/publish', lines.join('\n'), { 'content-type': 'application/x-ndjson' })
    await vi.waitUntil(() => hook.received.length === 5, { timeout: 20_000 })
    const bodies = hook.received.map(({ body, headers }) => `${headers['ce-partitionkey']} ${JSON.parse(body)}`)
    expect(bodies.filter((body) => body.startsWith('x'))).toEqual(
      bodies[0]?.startsWith('x') ? ['x x1', 'x x1', 'x x2', 'x x3'] : ['x x1', 'x x2', 'x x3'],
    )
    expect(bodies).toContain('y y1')
  })

  it('posts again what was not taken, then buries it, without holding up the rest', async () => {
    await using broker = await runBroker()
    await using hook = await endpoint(({ body }) => ({ status: body === '"poison"' ? 500 : 200 }))
    const push = { url: hook.url }
    const { body } = await broker.call('POST', '/broker/subscriptions', { topic: 'a', push, max_deliver: 2 })
    await broker.call('POST', '/broker/publish', '{"topic":"a","payload":"poison"}\n{"topic":"a","payload":1}')
    await vi.waitUntil(async () => (await broker.call('GET', `/broker/subscriptions/${body.id}`)).body.pending === 0, {
      timeout: 20_000,
    })
    expect(hook.received.map((message) => message.body).toSorted()).toEqual(['"poison"', '"poison"', '1'])
    const letters = await broker.call('GET', '/broker/dead-letters')
    expect(letters.body.dead_letters).toMatchObject([{ payload: 'poison', reason: 'the endpoint answered 500' }])
  })

  it('puts off what an endpoint can not take now, however often, and buries none of it', async () => {
    await using broker = await runBroker()
    await using hook = await endpoint((_, count) => ({ status: count <= 6 ? 503 : 204 }))
    const push = { url: hook.url }
    const { body } = await broker.call('POST', '/broker/subscriptions', { topic: 'a', push, max_deliver: 1 })
    await broker.call('POST', '/broker/publish/a', '1')
    const pending = async () => (await broker.call('GET', `/broker/subscriptions/${body.id}`)).body.pending
    await vi.waitUntil(async () => (await pending()) === 0, { timeout: 20_000 })
    expect(hook.received).toHaveLength(7)
    expect((await broker.call('GET', '/broker/dead-letters')).body.dead_letters).toEqual([])
  })

  it('knocks with one message at a time at an endpoint that is not well, and brings all once it is', async () => {
    await using broker = await runBroker()
    let isDown = true
    await using hook = await endpoint(() => ({ status: isDown ? 503 : 204 }))
    await broker.call('POST', '/broker/subscriptions', { topic: 'a', push: { url: hook.url }, max_deliver: 1 })
    for (let n = 0; n < 10; n++) {
      await broker.call('POST', '/broker/publish', Array(20).fill('{"topic":"a","payload":1}').join('\n'))
    }
    await vi.waitUntil(() => hook.received.length >= 20, { timeout: 20_000 })
    const first = hook.received.length
    const since = performance.now()
    await vi.waitUntil(() => hook.received.length >= first + 5, { timeout: 20_000 })
    // one in 50 ms at most, where each of 200 messages was posted every 100 ms
    expect((hook.received.length - first) / (performance.now() - since)).toBeLessThan(1 / 40)
    isDown = false
    const taken = hook.received.length
    await vi.waitUntil(() => hook.received.length >= taken + 200, { timeout: 20_000 })
    expect((await broker.call('GET', '/broker/dead-letters')).body.dead_letters).toEqual([])
  })

  it('puts off what nobody listens for, until it is given up', async () => {
    await using broker = await runBroker()
    await using gone = await refusingPort()
    const spec = { topic: 'a', push: { url: `http://127.0.0.1:${gone.port}/hook` }, max_deliver: 1, give_up_after: 1 }
    await broker.call('POST', '/broker/subscriptions', spec)
    await broker.call('POST', '/broker/publish/a', '1')
    const letters = async () => (await broker.call('GET', '/broker/dead-letters')).body.dead_letters
    await vi.waitUntil(async () => (await letters()).length === 1, { timeout: 20_000 })
    const [letter] = await letters()
    expect(letter?.reason).toMatch(/ECONNREFUSED/)
    expect(letter?.deliveries).toBeGreaterThan(5)
  })

  it('follows no redirect', async () => {
    await using broker = await runBroker()
    await using hook = await endpoint(() => ({ status: 307, headers: { location: '/elsewhere' } }))
    const push = { url: hook.url }
    await broker.call('POST', '/broker/subscriptions', { topic: 'a', push, max_deliver: 1 })
    await broker.call('POST', '/broker/publish/a', '1')
    await vi.waitUntil(async () => (await broker.call('GET', '/broker/dead-letters')).body.dead_letters.length === 1, {
      timeout: 20_000,
    })
    expect(hook.received.map(({ path }) => path)).toEqual(['/hook'])
  })

  it('is not wedged by an endpoint that switches protocols', async () => {
    await using broker = await runBroker()
    await using hook = await endpoint(() => ({
      status: 101,
      headers: { connection: 'upgrade', upgrade: 'websocket' },
    }))
    const push = { url: hook.url }
    const { body } = await broker.call('POST', '/broker/subscriptions', { topic: 'a', push, max_deliver: 1 })
    await broker.call('POST', '/broker/publish/a', '1')
    await vi.waitUntil(async () => (await broker.call('GET', '/broker/dead-letters')).body.dead_letters.length === 1, {
      timeout: 20_000,
    })
    expect((await broker.call('DELETE', `/broker/subscriptions/${body.id}`)).status).toBe(204)
  })

  it('gives up on an endpoint that is silent for as long as the lease', async () => {
    await using broker = await runBroker()
    await using hook = await endpoint((_, count) => (count === 1 ? 'silence' : { status: 200 }))
    const push = { url: hook.url }
    const { body } = await broker.call('POST', '/broker/subscriptions', { topic: 'a', push, ack_wait: 3 })
    await broker.call('POST', '/broker/publish/a', '1')
    await vi.waitUntil(async () => (await broker.call('GET', `/broker/subscriptions/${body.id}`)).body.pending === 0, {
      timeout: 20_000,
    })
    expect(hook.received).toHaveLength(2)
  })

  it('waits as long as the endpoint asks for', async () => {
    await using broker = await runBroker()
    await using hook = await endpoint(() => ({ status: 429, headers: { 'retry-after': '60' } }))
    const nacks = vi.spyOn(broker.bus, 'nack')
    await broker.call('POST', '/broker/subscriptions', { topic: 'a', push: { url: hook.url } })
    await broker.call('POST', '/broker/publish/a', '1')
    await vi.waitUntil(() => nacks.mock.calls.length === 1, { timeout: 20_000 })
    expect(nacks.mock.calls[0]?.[2]).toEqual({ delayMs: 60_000, reason: 'the endpoint answered 429', later: true })
  })

  it('understands a date that it is asked to wait for', async () => {
    await using broker = await runBroker()
    const date = new Date(Date.now() + 120_000).toUTCString()
    await using hook = await endpoint(() => ({ status: 503, headers: { 'retry-after': date } }))
    const nacks = vi.spyOn(broker.bus, 'nack')
    await broker.call('POST', '/broker/subscriptions', { topic: 'a', push: { url: hook.url } })
    await broker.call('POST', '/broker/publish/a', '1')
    await vi.waitUntil(() => nacks.mock.calls.length === 1, { timeout: 20_000 })
    expect(nacks.mock.calls[0]?.[2]?.delayMs).toBeGreaterThan(60_000)
  })

  it('posts to a new URL from then on, and to none after unsubscribing', async () => {
    await using broker = await runBroker()
    await using before = await endpoint()
    await using after = await endpoint()
    const subscribe = (url: string) =>
      broker.call('POST', '/broker/subscriptions', { topic: 'a', group: 'g', push: { url } })
    await subscribe('http://127.0.0.1:1/never')
    await subscribe(before.url)
    // nothing was posted there
    expect(broker.warnings).toEqual([])
    await broker.call('POST', '/broker/publish/a', '1')
    await vi.waitUntil(() => before.received.length === 1, { timeout: 20_000 })
    const [{ id } = { id: '' }] = await broker.bus.subscriptions()
    await vi.waitUntil(async () => (await broker.call('GET', `/broker/subscriptions/${id}`)).body.pending === 0, {
      timeout: 20_000,
    })
    const { body } = await subscribe(after.url)
    expect(broker.warnings.join('\n')).toContain(
      `Pushes to ${before.url} end: its subscription's messages now go to ${after.url}`,
    )
    await broker.call('POST', '/broker/publish/a', '2')
    await vi.waitUntil(() => after.received.length === 1, { timeout: 20_000 })
    await broker.call('DELETE', `/broker/subscriptions/${body.id}`)
    await broker.call('POST', '/broker/publish/a', '3')
    expect([before.received.length, after.received.length]).toEqual([1, 1])
  })

  it('goes on after a restart', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'msvc-broker-'))
    await using hook = await endpoint((_, count) => (count === 1 ? 'silence' : { status: 200 }))
    const before = await runBroker({ folder })
    await before.call('POST', '/broker/subscriptions', { topic: 'a', push: { url: hook.url } })
    await before.call('POST', '/broker/publish/a', '1')
    await vi.waitUntil(() => hook.received.length === 1, { timeout: 20_000 })
    await before.stop()
    {
      await using _ = await runBroker({ folder })
      await vi.waitUntil(() => hook.received.length === 2, { timeout: 20_000 })
    }
    await rm(folder, { recursive: true })
  })

  it('acknowledges again where the bus was away for a moment', async () => {
    await using hook = await endpoint()
    let times = 0
    const ack = async () => {
      times++
      if (times < 3) throw new DriverError('unavailable', 'no leader')
      return 1
    }
    await using _push = pushing(hook.url, { ack })
    await vi.waitUntil(() => times === 3, { timeout: 20_000 })
    expect(hook.received).toHaveLength(1)
  })

  it('puts off a message for which no token can be made, and sends nothing', async () => {
    await using hook = await endpoint()
    const given: (ReturnOptions | undefined)[] = []
    const nack: BusConsumer['nack'] = async (_, __, how) => given.push(how)
    await using _push = pushing(hook.url, { nack, tokenFor: () => Promise.reject(new Error('no key')) })
    await vi.waitUntil(() => given.length === 1, { timeout: 20_000 })
    expect(given).toEqual([{ reason: 'no token for it: no key', later: true }])
    expect(hook.received).toEqual([])
  })

  it("is part of the message's trace", async () => {
    await using broker = await runBroker()
    await using hook = await endpoint()
    await broker.call('POST', '/broker/subscriptions', { topic: 'a', push: { url: hook.url } })
    const traceId = '0af7651916cd43dd8448eb211c80319c'
    const tracestate = 'congo=t61rcWkgMzE'
    await broker.call('POST', '/broker/publish/a', '1', {
      traceparent: `00-${traceId}-b7ad6b7169203331-01`,
      tracestate,
    })
    await vi.waitUntil(() => broker.spans.some(({ operation }) => operation === 'push a'), { timeout: 20_000 })
    const span = broker.spans.find(({ operation }) => operation === 'push a')
    expect(span).toMatchObject({ trace_id: traceId, kind: 'client', status: 'ok' })
    expect(hook.received[0]?.headers).toMatchObject({
      traceparent: `00-${traceId}-${span?.span_id}-01`,
      tracestate,
      'ce-traceparent': `00-${traceId}-${span?.parent_span_id}-01`,
      'ce-tracestate': tracestate,
    })
  })
})
