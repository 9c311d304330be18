import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it, vi } from 'vitest'
import { passedBy } from '../../kit/testing/turns.ts'
import { pull, settle, subscribe } from './testing/consumer-calls.ts'
import { type RunningBroker, runBroker } from './testing/running-broker.ts'

/** Posts by a connection of its own. */
async function post(url: string, agent: Agent, method = 'POST'): Promise<string> {
  const asked = request(url, { method, agent }).end()
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  return text(answer)
}

/** As a consumer that keeps its connection does. Gives the first answer. */
async function pullTwice({ url }: RunningBroker, id: string, agent: Agent, consumer = 'c'): Promise<string> {
  const first = await post(`${url}/broker/subscriptions/${id}/pull?consumer=${consumer}`, agent)
  await post(`${url}/broker/subscriptions/${id}/pull?consumer=${consumer}`, agent)
  return first
}

describe('pulling', () => {
  it('hands messages out as they came', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a' })
    await broker.call('POST', '/broker/publish/a', '{"user_id": 1, "product": "Laptop"}')
    expect(await pull(broker, id)).toEqual([
      {
        id: expect.any(String),
        topic: 'a',
        payload: { user_id: 1, product: 'Laptop' },
        timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
        offset: 1,
        delivery: 1,
        ack: expect.any(String),
        attributes: { traceparent: expect.any(String) },
      },
    ])
  })

  it('waits for the first message', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a' })
    const waiting = pull(broker, id, 'wait=30')
    await broker.call('POST', '/broker/publish/a', '1')
    expect(await waiting).toHaveLength(1)
  })

  it('leases nothing to a waiting consumer who went away', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a' })
    const pulls = vi.spyOn(broker.bus, 'pull')
    const leaving = new AbortController()
    const left = fetch(`${broker.url}/broker/subscriptions/${id}/pull?wait=30`, {
      method: 'POST',
      signal: leaving.signal,
    })
    await vi.waitUntil(() => pulls.mock.calls.length === 1, { timeout: 20_000 })
    leaving.abort()
    await expect(left).rejects.toThrow()
    await vi.waitUntil(() => pulls.mock.calls[0]?.[1].signal.aborted, { timeout: 20_000 })
    await broker.call('POST', '/broker/publish/a', '1')
    expect((await pull(broker, id))[0]).toMatchObject({ delivery: 1 })
  })

  it('takes leases back when the consumer went away before the answer', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a' })
    await broker.call('POST', '/broker/publish/a', '1')
    const leaving = new AbortController()
    const original = broker.bus.pull.bind(broker.bus)
    const nacks = vi.spyOn(broker.bus, 'nack')
    vi.spyOn(broker.bus, 'pull').mockImplementationOnce(async (subscription, options) => {
      leaving.abort()
      await vi.waitUntil(() => options.signal.aborted, { timeout: 20_000 })
      return original(subscription, { ...options, signal: new AbortController().signal })
    })
    await expect(
      fetch(`${broker.url}/broker/subscriptions/${id}/pull`, { method: 'POST', signal: leaving.signal }),
    ).rejects.toThrow()
    await vi.waitUntil(() => nacks.mock.calls.length === 1, { timeout: 20_000 })
    // he never saw it
    expect((await pull(broker, id, 'wait=10'))[0]).toMatchObject({ delivery: 1 })
  })

  it('puts off what its consumer can not take now, without counting that', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a', max_deliver: 1 })
    await broker.call('POST', '/broker/publish/a', '1')
    for (const delivery of [1, 2, 3]) {
      const [message] = await pull(broker, id, 'wait=5')
      expect(message?.delivery).toBe(delivery)
      await settle(broker, id, 'nack', { acks: [message?.ack], later: true })
    }
    expect((await broker.call('GET', '/health')).body).toMatchObject({ status: 'healthy' })
    const [message] = await pull(broker, id, 'wait=5')
    await settle(broker, id, 'nack', { acks: [message?.ack] })
    expect((await broker.call('GET', '/broker/dead-letters')).body.dead_letters).toHaveLength(1)
    expect(await broker.call('GET', '/health')).toMatchObject({
      status: 200,
      body: { status: 'degraded', checks: { dead_letters: expect.stringContaining('1 message is a dead letter') } },
    })
  })

  it('begins leases anew for who needs longer', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a', ack_wait: 1 })
    await broker.call('POST', '/broker/publish/a', '1')
    const [message] = await pull(broker, id)
    const renew = () => broker.call('POST', `/broker/subscriptions/${id}/renew`, { acks: [message?.ack] })
    for (let time = 0; time < 8; time++) {
      expect(await renew()).toMatchObject({ status: 200, body: { renewed: 1, refused: 0 } })
      expect(await pull(broker, id, 'wait=0.2')).toEqual([])
    }
    expect((await settle(broker, id, 'ack', { acks: [message?.ack] })).status).toBe(200)
    expect((await renew()).status).toBe(409)
  })

  it('gives what a consumer had on lease to others when its connection is gone', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a', max_deliver: 1 })
    await broker.call('POST', '/broker/publish/a', '1')
    const agent = new Agent({ keepAlive: true })
    expect(await pullTwice(broker, id, agent)).toContain('"delivery":1')
    agent.destroy()
    expect((await pull(broker, id, 'wait=10'))[0]).toMatchObject({ delivery: 2 })
  })

  it.each([
    ['asked another thing', ({ url }: RunningBroker, agent: Agent) => post(`${url}/broker/topics`, agent, 'GET')],
    ['worked for a while', ({ clock }: RunningBroker) => passedBy(clock, 300)],
  ])('knows that a consumer is gone after one pull that %s', async (_, meanwhile) => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a', max_deliver: 1 })
    await broker.call('POST', '/broker/publish/a', '1')
    const agent = new Agent({ keepAlive: true })
    await post(`${broker.url}/broker/subscriptions/${id}/pull?consumer=c`, agent)
    await meanwhile(broker, agent)
    agent.destroy()
    expect((await pull(broker, id, 'wait=10'))[0]).toMatchObject({ delivery: 2 })
  })

  it('leaves a consumer what it has that opens a connection for each call', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a' })
    await broker.call('POST', '/broker/publish/a', '1')
    const agent = new Agent({ keepAlive: false })
    const taken = await post(`${broker.url}/broker/subscriptions/${id}/pull?consumer=c`, agent)
    expect(await pull(broker, id, 'wait=1.5')).toEqual([])
    const { ack } = JSON.parse(taken).messages[0]
    expect((await settle(broker, id, 'ack', { acks: [ack] })).status).toBe(200)
  })

  it('leaves a consumer what it has that is heard of by another connection', async () => {
    await using broker = await runBroker()
    const release = vi.spyOn(broker.bus, 'release')
    const id = await subscribe(broker, { topic: 'a' })
    await broker.call('POST', '/broker/publish/a', '1')
    const [first, second] = [new Agent({ keepAlive: true }), new Agent({ keepAlive: true })]
    await pullTwice(broker, id, first)
    first.destroy()
    await post(`${broker.url}/broker/subscriptions/${id}/pull?consumer=c`, second)
    expect(await pull(broker, id, 'wait=1.5')).toEqual([])
    expect(release).not.toHaveBeenCalled()
    second.destroy()
    expect(await pull(broker, id, 'wait=10')).toHaveLength(1)
  })

  it('leaves a consumer what it has whose other connection closes', async () => {
    await using broker = await runBroker()
    const release = vi.spyOn(broker.bus, 'release')
    const id = await subscribe(broker, { topic: 'a' })
    await broker.call('POST', '/broker/publish/a', '1')
    const [first, second] = [new Agent({ keepAlive: true }), new Agent({ keepAlive: true })]
    await pullTwice(broker, id, first)
    await post(`${broker.url}/broker/subscriptions/${id}/pull?consumer=c`, second)
    second.destroy()
    expect(await pull(broker, id, 'wait=1.5')).toEqual([])
    expect(release).not.toHaveBeenCalled()
    first.destroy()
    expect(await pull(broker, id, 'wait=10')).toHaveLength(1)
  })

  it('hands on what a consumer had when one of its name begins, though its connection stays', async () => {
    await using broker = await runBroker()
    const spec = { topic: 'a', group: 'g', max_deliver: 1 }
    const id = await subscribe(broker, spec)
    await broker.call('POST', '/broker/publish', '{"topic":"a","payload":1}\n{"topic":"a","payload":2}')
    const [stuck, living] = [new Agent({ keepAlive: true }), new Agent({ keepAlive: true })]
    await post(`${broker.url}/broker/subscriptions/${id}/pull?consumer=c`, stuck)
    await post(`${broker.url}/broker/subscriptions/${id}/pull?consumer=d`, living)
    expect(await subscribe(broker, { ...spec, consumer: 'c' })).toBe(id)
    expect(await pull(broker, id)).toMatchObject([{ payload: 1, delivery: 2 }])
    stuck.destroy()
    living.destroy()
  })

  it('watches over no more names than one connection may have', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a' })
    const released = vi.spyOn(broker.bus, 'release')
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    for (let n = 0; n < 80; n++) await pullTwice(broker, id, agent, `c${n}`)
    agent.destroy()
    const names = () => new Set(released.mock.calls.map(([, consumer]) => consumer))
    await expect.poll(names).toEqual(new Set(Array.from({ length: 64 }, (_, n) => `c${n + 16}`)))
  })

  it('ends what was acknowledged, and refuses an acknowledgement that comes late', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a', ack_wait: 0.5 })
    await broker.call('POST', '/broker/publish', '{"topic":"a","payload":1}\n{"topic":"a","payload":2}')
    const [first, second] = await pull(broker, id)
    expect(await settle(broker, id, 'ack', { acks: [first?.ack] })).toEqual({
      status: 200,
      body: { acked: 1, refused: 0 },
    })
    const [again] = await pull(broker, id, 'wait=5')
    expect(again).toMatchObject({ payload: 2, delivery: 2 })
    expect(await settle(broker, id, 'ack', { acks: [second?.ack] })).toMatchObject({
      status: 409,
      body: { code: 'CONFLICT' },
    })
  })

  it('keeps everything over a restart', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'msvc-broker-'))
    const before = await runBroker({ folder })
    const id = await subscribe(before, { topic: 'a', group: 'g' })
    await before.call('POST', '/broker/publish/a', '{"kept":true}')
    await before.stop()
    {
      await using after = await runBroker({ folder })
      expect((await pull(after, id))[0]?.payload).toEqual({ kept: true })
    }
    await rm(folder, { recursive: true })
  })
})
