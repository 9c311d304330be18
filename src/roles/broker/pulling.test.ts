import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { pull, settle, subscribe } from './testing/consumer-calls.ts'
import { runBroker } from './testing/running-broker.ts'

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
    await vi.waitUntil(() => pulls.mock.calls.length === 1)
    leaving.abort()
    await expect(left).rejects.toThrow()
    await vi.waitUntil(() => pulls.mock.calls[0]?.[1].signal.aborted)
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
      await vi.waitUntil(() => options.signal.aborted)
      return original(subscription, { ...options, signal: new AbortController().signal })
    })
    await expect(
      fetch(`${broker.url}/broker/subscriptions/${id}/pull`, { method: 'POST', signal: leaving.signal }),
    ).rejects.toThrow()
    await vi.waitUntil(() => nacks.mock.calls.length === 1)
    // he never saw it
    expect((await pull(broker, id, 'wait=10'))[0]).toMatchObject({ delivery: 1 })
  })

  it('ends what was acknowledged, and refuses an acknowledgement that comes late', async () => {
    await using broker = await runBroker()
    const id = await subscribe(broker, { topic: 'a', ack_wait: 0.1 })
    await broker.call('POST', '/broker/publish', '{"topic":"a","payload":1}\n{"topic":"a","payload":2}')
    const [first, second] = await pull(broker, id)
    expect(await settle(broker, id, 'ack', { acks: [first.ack] })).toEqual({
      status: 200,
      body: { acked: 1, refused: 0 },
    })
    const [again] = await pull(broker, id, 'wait=5')
    expect(again).toMatchObject({ payload: 2, delivery: 2 })
    expect(await settle(broker, id, 'ack', { acks: [second.ack] })).toMatchObject({
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
      expect((await pull(after, id))[0].payload).toEqual({ kept: true })
    }
    await rm(folder, { recursive: true })
  })
})
