import { describe, expect, it, vi } from 'vitest'
import { systemClock as clock } from '../../drivers/clock.ts'
import type { CallOptions, ServiceClient } from '../../kit/client/service-client.ts'
import { AppError } from '../../kit/errors.ts'
import { createLifecycle } from '../../kit/lifecycle.ts'
import { createMessaging } from '../../kit/messaging/broker-messaging.ts'
import { once } from '../../kit/messaging/inbox.ts'
import { openTestStore } from '../../kit/messaging/testing/open-test-store.ts'
import { createMetrics } from '../../kit/telemetry/metrics.ts'
import { runInScope } from '../../kit/telemetry/scope.ts'
import { recordedLog } from '../../kit/telemetry/testing/recorded-log.ts'
import { createTracing } from '../../kit/telemetry/tracer.ts'
import type { SpanRecord } from '../../kit/telemetry/tracing.ts'
import { type RunningBroker, runBroker } from './testing/running-broker.ts'

/** The broker's client, as plain as can be. */
function clientOf(broker: RunningBroker): ServiceClient {
  const raw = (path: string, init?: RequestInit) => fetch(broker.url + path, init)
  async function call(method: string, path: string, body?: unknown, { query = {}, signal }: CallOptions = {}) {
    const text = new URLSearchParams(Object.entries(query).map(([key, value]) => [key, String(value)])).toString()
    const answer = await raw(`${path}?${text}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    })
    const value: unknown = await answer.json()
    if (!answer.ok) throw new AppError('UPSTREAM_FAILED', JSON.stringify(value))
    return value
  }
  return {
    service: 'broker',
    get: (path, options) => call('GET', path, undefined, options),
    post: (path, body, options) => call('POST', path, body, options),
    put: (path, body, options) => call('PUT', path, body, options),
    patch: (path, body, options) => call('PATCH', path, body, options),
    delete: (path, options) => call('DELETE', path, undefined, options),
    raw,
  }
}

async function service(broker: RunningBroker, name: string) {
  const life = createLifecycle(() => {})
  const spans: SpanRecord[] = []
  const tracing = createTracing({ service: name, clock, ship: (span) => spans.push(span) })
  const store = await openTestStore()
  life.defer(async () => store[Symbol.asyncDispose]())
  const messaging = createMessaging({
    client: clientOf(broker),
    service: name,
    consumer: `${name}-1`,
    clock,
    tracing,
    log: recordedLog(),
    metrics: createMetrics(name),
    signal: life.signal,
    check: () => {},
    defer: life.defer,
  })
  return { messaging, store, spans, tracing, [Symbol.asyncDispose]: () => life.stop() }
}

describe('messages between services', () => {
  it('go from outbox to broker to inbox and back, once each, in one trace', async () => {
    await using broker = await runBroker()
    await using order = await service(broker, 'order-service')
    await using payment = await service(broker, 'payment-service')
    const orders = order.messaging.outbox(order.store)
    const payments = payment.messaging.outbox(payment.store)
    const paid: string[] = []

    payment.messaging.consume({
      topic: 'order.created',
      group: 'payment-service',
      handle: async (event) => {
        await once({ store: payment.store }, event, async (trx) => {
          await trx
            .insertInto('effects')
            .values({ name: JSON.stringify(event.payload) })
            .execute()
          await payments.add(trx, { type: 'payment.processed', data: event.payload })
        })
      },
    })
    order.messaging.consume({
      topic: 'payment.processed',
      group: 'order-service',
      handle: async ({ payload }) => void paid.push(String(payload)),
    })

    const request = order.tracing.start('POST /api/orders', { kind: 'server', parent: null })
    await runInScope({ span: request, requestId: 'r' }, async () => {
      await order.store.transaction((trx) => orders.add(trx, { type: 'order.created', data: 'traced' }))
    })
    const names = Array.from({ length: 200 }, (_, n) => `order-${n}`)
    await Promise.all(
      names.map((data) => order.store.transaction((trx) => orders.add(trx, { type: 'order.created', data }))),
    )
    await vi.waitUntil(() => paid.length === 201, { timeout: 20_000 })
    expect(paid.toSorted()).toEqual(['traced', ...names].toSorted())
    expect(await payment.store.db.selectFrom('effects').selectAll().execute()).toHaveLength(201)

    const trace = () =>
      [...broker.spans, ...payment.spans, ...order.spans].filter((span) => span.trace_id === request.traceId)
    await vi.waitUntil(() => trace().length === 4, { timeout: 20_000 })
    const byId = new Map(trace().map((span) => [span.span_id, span]))
    const path = (span: SpanRecord | undefined): string[] =>
      span ? [...path(byId.get(span.parent_span_id ?? '')), `${span.service} ${span.operation}`] : []
    // an event's trace stays as its producer wrote it, so what the broker does stands beside what its consumers do
    expect(path(order.spans.find((span) => span.trace_id === request.traceId))).toEqual([
      'payment-service process order.created',
      'order-service process payment.processed',
    ])
    const published = broker.spans.filter((span) => span.trace_id === request.traceId)
    expect(published.map(path)).toEqual([
      ['broker publish order.created'],
      ['payment-service process order.created', 'broker publish payment.processed'],
    ])
  })

  it('are published at once without an outbox, one copy of an id', async () => {
    await using broker = await runBroker()
    await using shop = await service(broker, 'shop')
    const event = { id: 'same', type: 'a', data: 1 }
    await shop.messaging.publish([event, event, { type: 'a', data: 2 }])
    await shop.messaging.publish([])
    expect((await broker.bus.topics())[0]?.lastOffset).toBe(2)
  })

  it('are refused at once when they are wrong', async () => {
    await using broker = await runBroker()
    await using shop = await service(broker, 'shop')
    await expect(shop.messaging.publish([{ type: '$SYS', data: 1 }])).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
  })

  it("tell the broker's own reason when it can't take them", async () => {
    await using broker = await runBroker({ freeBytes: () => 0 })
    await using shop = await service(broker, 'shop')
    await expect(shop.messaging.publish([{ type: 'a', data: 1 }])).rejects.toMatchObject({ code: 'DISK_FULL' })
  })
})
