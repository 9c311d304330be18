import { describe, expect, it, vi } from 'vitest'
import { systemClock as clock } from '../../drivers/clock.ts'
import { AppError } from '../errors.ts'
import { currentScope } from '../telemetry/scope.ts'
import { recordedLog } from '../telemetry/testing/recorded-log.ts'
import { createTracing } from '../telemetry/tracer.ts'
import type { SpanRecord } from '../telemetry/tracing.ts'
import { runConsumer } from './consumer.ts'
import type { ConsumeOptions } from './messaging.ts'
import { FakeBroker } from './testing/fake-broker.ts'

function consuming(handle: ConsumeOptions['handle'], options: Partial<ConsumeOptions> = {}, broker = new FakeBroker()) {
  const stop = new AbortController()
  const log = recordedLog()
  const spans: SpanRecord[] = []
  const tracing = createTracing({ service: 'payment-service', clock, ship: (span) => spans.push(span) })
  const topic = 'order.created'
  const stopped = runConsumer({
    topic,
    group: 'payment-service',
    handle,
    ...options,
    consumer: 'payment-service-1',
    broker,
    tracing,
    log,
    signal: stop.signal,
  })
  const end = async () => {
    stop.abort()
    await stopped
  }
  return { broker, log, spans, end, [Symbol.asyncDispose]: end }
}

const ids = (count: number) => Array.from({ length: count }, (_, n) => `message-${n}`)

describe('a consumer', () => {
  it('handles every message and acknowledges it', async () => {
    const handled: unknown[] = []
    await using consumer = consuming(async ({ payload }) => void handled.push(payload))
    for (const id of ids(200)) consumer.broker.add(id)
    await vi.waitUntil(() => consumer.broker.acked.length === 200, { timeout: 20_000 })
    expect(handled).toEqual(ids(200).map((id) => ({ id })))
    expect(consumer.broker.leased.size).toBe(0)
  })

  it('acknowledges many in one request', async () => {
    await using consumer = consuming(async () => {})
    for (const id of ids(300)) consumer.broker.add(id)
    await vi.waitUntil(() => consumer.broker.acked.length === 300, { timeout: 20_000 })
    expect(consumer.broker.ackRequests.length).toBeLessThan(30)
  })

  it('handles as many at a time as it may, with as many in waiting', async () => {
    const gate = Promise.withResolvers<void>()
    let running = 0
    let most = 0
    const handle = async () => {
      most = Math.max(most, ++running)
      await gate.promise
      running--
    }
    await using consumer = consuming(handle, { concurrency: 4 })
    for (const id of ids(60)) consumer.broker.add(id)
    await vi.waitUntil(() => consumer.broker.leased.size === 8, { timeout: 20_000 })
    gate.resolve()
    await vi.waitUntil(() => consumer.broker.acked.length === 60, { timeout: 20_000 })
    expect(most).toBe(4)
  })

  it('puts off what failed for no fault of its own', async () => {
    let isFull = true
    await using consumer = consuming(async () => {
      if (isFull) throw new AppError('DISK_FULL', 'no space')
    })
    consumer.broker.add('m')
    await vi.waitUntil(() => consumer.broker.nacked.length > 0, { timeout: 20_000 })
    expect(consumer.broker.nacked[0]).toEqual({ id: 'm', reason: 'no space', later: true })
    isFull = false
    await vi.waitUntil(() => consumer.broker.acked.length === 1, { timeout: 20_000 })
  })

  it('takes one message at a time while what it needs is not well, and all of them again afterwards', async () => {
    let isFull = true
    let tried = 0
    const pulled: number[] = []
    const broker = new FakeBroker()
    const pull = broker.pull.bind(broker)
    broker.pull = (id, options) => {
      pulled.push(options.max)
      return pull(id, options)
    }
    const handle = async () => {
      tried++
      if (isFull) throw new AppError('UNAVAILABLE', 'the store refuses')
    }
    await using consumer = consuming(handle, { concurrency: 4 }, broker)
    for (const id of ids(40)) consumer.broker.add(id)
    await expect.poll(() => pulled.filter((max) => max === 1).length).toBeGreaterThanOrEqual(3)
    expect(tried).toBeLessThan(12)
    isFull = false
    await vi.waitUntil(() => consumer.broker.acked.length === 40, { timeout: 20_000 })
    expect(pulled.at(-1)).toBe(4)
  })

  it('renews the leases of what it has in hand', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    await using consumer = consuming(() => promise, { ackWaitMs: 100, concurrency: 1 })
    consumer.broker.add('a')
    consumer.broker.add('b')
    await expect.poll(() => consumer.broker.renewed.map(({ length }) => length)).toContain(2)
    resolve()
    await vi.waitUntil(() => consumer.broker.acked.length === 2, { timeout: 20_000 })
  })

  it('gives back what failed, with the reason, and goes on with the rest', async () => {
    const seen: number[] = []
    await using consumer = consuming(async ({ id, delivery }) => {
      if (id !== 'bad') return
      seen.push(delivery)
      if (delivery < 3) throw new Error('card refused')
    })
    for (const id of ['a', 'bad', 'b']) consumer.broker.add(id)
    await vi.waitUntil(() => consumer.broker.acked.length === 3, { timeout: 20_000 })
    expect(consumer.broker.nacked).toEqual([
      { id: 'bad', reason: 'card refused', later: false },
      { id: 'bad', reason: 'card refused', later: false },
    ])
    expect(seen).toEqual([1, 2, 3])
    expect(consumer.log.lines).toContain('WARNING Handling order.created failed: card refused')
  })

  it("joins each message's trace", async () => {
    const traces: unknown[] = []
    await using consumer = consuming(async () => void traces.push(currentScope()?.span.traceId))
    const traceId = '0af7651916cd43dd8448eb211c80319c'
    consumer.broker.add('a', { traceparent: `00-${traceId}-b7ad6b7169203331-01` })
    await vi.waitUntil(() => consumer.spans.length === 1, { timeout: 20_000 })
    expect(traces).toEqual([traceId])
    expect(consumer.spans[0]).toMatchObject({
      trace_id: traceId,
      parent_span_id: 'b7ad6b7169203331',
      kind: 'consumer',
      operation: 'process order.created',
      status: 'ok',
    })
  })

  it('keeps no span for a trace that is not kept', async () => {
    await using consumer = consuming(async () => {})
    consumer.broker.add('a', { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00' })
    await vi.waitUntil(() => consumer.broker.acked.length === 1, { timeout: 20_000 })
    expect(consumer.spans).toEqual([])
  })

  it('waits for a broker that is away', async () => {
    const broker = new FakeBroker()
    broker.failure = new AppError('UNREACHABLE', 'no broker')
    await using consumer = consuming(async () => {}, {}, broker)
    await vi.waitUntil(() => consumer.log.lines.length > 0, { timeout: 20_000 })
    broker.failure = undefined
    broker.add('a')
    await vi.waitUntil(() => broker.acked.length === 1, { timeout: 20_000 })
  })

  it('subscribes again when the broker forgot', async () => {
    await using consumer = consuming(async () => {})
    await vi.waitUntil(() => consumer.broker.pulls > 0, { timeout: 20_000 })
    consumer.broker.forget()
    consumer.broker.add('a')
    await vi.waitUntil(() => consumer.broker.acked.length === 1, { timeout: 20_000 })
    expect(consumer.broker.subscribed).toBe(2)
  })

  it('tells again what the broker did not hear', async () => {
    const broker = new FakeBroker()
    await using _ = consuming(
      async () => {
        broker.failure = new AppError('UNREACHABLE', 'no broker')
      },
      {},
      broker,
    )
    broker.add('a')
    await vi.waitUntil(() => broker.failure !== undefined, { timeout: 20_000 })
    broker.failure = undefined
    await vi.waitUntil(() => broker.acked.length === 1, { timeout: 20_000 })
  })

  it('ends at once while it waits', async () => {
    const consumer = consuming(async () => {})
    await vi.waitUntil(() => consumer.broker.pulls > 0, { timeout: 20_000 })
    let hasEnded = false
    void consumer.end().then(() => {
      hasEnded = true
    })
    // what has to wait for a while would take more turns
    for (let turn = 0; turn < 100 && !hasEnded; turn++) await new Promise(setImmediate)
    expect(hasEnded).toBe(true)
  })

  it('finishes what it began and gives back what it did not, when it ends', async () => {
    const gate = Promise.withResolvers<void>()
    let begun = 0
    const consumer = consuming(
      async () => {
        begun++
        await gate.promise
      },
      { concurrency: 2 },
    )
    for (const id of ids(4)) consumer.broker.add(id)
    await vi.waitUntil(() => begun === 2 && consumer.broker.leased.size === 4, { timeout: 20_000 })
    const ended = consumer.end()
    gate.resolve()
    await ended
    expect(consumer.broker.acked).toEqual(ids(2))
    expect(consumer.broker.nacked.map(({ id }) => id).toSorted()).toEqual(['message-2', 'message-3'])
    expect(begun).toBe(2)
  })
})
