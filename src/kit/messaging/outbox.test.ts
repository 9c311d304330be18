import { describe, expect, it, vi } from 'vitest'
import { systemClock as clock } from '../../drivers/clock.ts'
import type { Store } from '../../drivers/store/contract.ts'
import { AppError, messageOf } from '../errors.ts'
import { runInScope } from '../telemetry/scope.ts'
import { recordedLog } from '../telemetry/testing/recorded-log.ts'
import { createTracing } from '../telemetry/tracer.ts'
import { createOutbox, OUTBOX_BELL } from './outbox.ts'
import { BATCH_EVENTS, startRelay } from './outbox-relay.ts'
import { openTestStore, type TestTables } from './testing/open-test-store.ts'

interface SentEvent {
  readonly id: string
  readonly type: string
  readonly source: string
  readonly traceparent?: string
  readonly data: unknown
}

/** A broker that keeps each id once, and fails while `failure` is set. */
function fakeBroker() {
  const kept = new Map<string, SentEvent>()
  const broker = {
    kept,
    batches: [] as SentEvent[][],
    failure: undefined as Error | undefined,
    async publish(events: readonly string[]) {
      if (broker.failure) throw broker.failure
      const batch = events.map((text): SentEvent => JSON.parse(text))
      broker.batches.push(batch)
      for (const event of batch) if (!kept.has(event.id)) kept.set(event.id, event)
    },
  }
  return broker
}

function relayed(store: Store<TestTables>, broker = fakeBroker()) {
  const stop = new AbortController()
  const log = recordedLog()
  const time = { now: 0, monotonic: () => time.now }
  const relay = startRelay({ store, holder: 'order-1', broker, log, clock: time, signal: stop.signal })
  const outbox = createOutbox<TestTables>({ store, service: 'order-service', clock })
  return {
    broker,
    log,
    outbox,
    relay,
    time,
    add: (type: string, data: unknown, id?: string) =>
      store.transaction((trx) => outbox.add(trx, { type, data, ...(id !== undefined && { id }) })),
    async [Symbol.asyncDispose]() {
      stop.abort()
      await relay.stopped
    },
  }
}

const rowsLeft = async (store: Store<TestTables>) => (await store.db.selectFrom('outbox').selectAll().execute()).length
const emptied = (store: Store<TestTables>) => expect.poll(() => rowsLeft(store)).toBe(0)

it('drops an event whose id the broker knows with another content, with an error, and sends the others', async () => {
  const broker = fakeBroker()
  const { publish } = broker
  broker.publish = async (events) => {
    if (events.some((event) => event.includes('"id":"taken"'))) throw new AppError('CONFLICT', 'another has its id')
    await publish(events)
  }
  await using store = await openTestStore()
  await using outbox = relayed(store, broker)
  for (const id of ['one', 'taken', 'two']) await outbox.add('order.created', {}, id)
  await emptied(store)
  expect([...broker.kept.keys()]).toEqual(['one', 'two'])
  expect(outbox.log.lines).toContain('ERROR An event is dropped: another has its id')
})

describe('the outbox', () => {
  it('sends what was committed, in order, and forgets it', async () => {
    await using store = await openTestStore()
    await using service = relayed(store)
    for (let n = 0; n < 20; n++) await service.add('order.created', { n })
    await expect.poll(() => service.broker.kept.size).toBe(20)
    expect([...service.broker.kept.values()].map(({ data }) => data)).toEqual(
      Array.from({ length: 20 }, (_, n) => ({ n })),
    )
    await emptied(store)
  })

  it('writes CloudEvents of its service', async () => {
    await using store = await openTestStore()
    await using service = relayed(store)
    await service.add('order.created', { order_id: 1 }, 'my-id')
    await expect.poll(() => service.broker.kept.size).toBe(1)
    expect(service.broker.kept.get('my-id')).toEqual({
      specversion: '1.0',
      id: 'my-id',
      source: '/order-service',
      type: 'order.created',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      data: { order_id: 1 },
    })
  })

  it('sends nothing of a transaction that was undone', async () => {
    await using store = await openTestStore()
    await using service = relayed(store)
    const undone = store.transaction(async (trx) => {
      await service.outbox.add(trx, { type: 'order.created', data: 'undone' })
      throw new Error('no stock')
    })
    await expect(undone).rejects.toThrow('no stock')
    await service.add('order.created', 'kept')
    await expect.poll(() => service.broker.kept.size).toBeGreaterThan(0)
    expect([...service.broker.kept.values()].map(({ data }) => data)).toEqual(['kept'])
  })

  it('rings once for each event that is committed, and not for one that is undone', async () => {
    await using store = await openTestStore()
    let rings = 0
    store.onRing(OUTBOX_BELL, () => rings++)
    const outbox = createOutbox<TestTables>({ store, service: 'order-service', clock })
    const undone = store.transaction(async (trx) => {
      await outbox.add(trx, { type: 'order.created', data: 'undone' })
      throw new Error('no stock')
    })
    await expect(undone).rejects.toThrow('no stock')
    expect(rings).toBe(0)
    await store.transaction(async (trx) => {
      await outbox.add(trx, { type: 'order.created', data: 'kept' })
      expect(rings).toBe(0)
    })
    expect(rings).toBe(1)
  })

  it('puts an event behind all that wait, whichever clock or server gave them their places', async () => {
    await using store = await openTestStore()
    const outbox = createOutbox<TestTables>({ store, service: 'order-service', clock })
    const add = (id: string) => store.transaction((trx) => outbox.add(trx, { id, type: 'order.created', data: 1 }))
    await add('first')
    await store.transaction((trx) =>
      trx
        .updateTable('outbox')
        .set({ position: clock.now() * 2_000 })
        .execute(),
    )
    for (const id of ['second', 'third']) await add(id)
    const rows = await store.db.selectFrom('outbox').select('id').orderBy('position').execute()
    expect(rows.map(({ id }) => id)).toEqual(['first', 'second', 'third'])
  })

  it('sends what a crash left behind', async () => {
    await using store = await openTestStore()
    const before = createOutbox<TestTables>({ store, service: 'order-service', clock })
    await store.transaction((trx) => before.add(trx, { id: 'left', type: 'order.created', data: 1 }))
    await using service = relayed(store)
    await expect.poll(() => service.broker.kept.has('left')).toBe(true)
  })

  it('sends again under the same ids when it died between sending and forgetting', async () => {
    await using store = await openTestStore()
    const broker = fakeBroker()
    const dying = new Proxy(store, {
      get(target, key) {
        if (key === 'transaction') return () => Promise.reject(new Error('killed'))
        const value: unknown = Reflect.get(target, key, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const quiet = createOutbox<TestTables>({ store, service: 'order-service', clock })
    await store.transaction((trx) => quiet.add(trx, { type: 'order.created', data: 1 }))
    {
      await using _ = relayed(dying, broker)
      await expect.poll(() => broker.batches.length).toBeGreaterThan(0)
    }
    expect(await rowsLeft(store)).toBe(1)
    await using _ = relayed(store, broker)
    await emptied(store)
    expect(broker.batches.length).toBeGreaterThan(1)
    expect(broker.kept.size).toBe(1)
  })

  it('waits for a broker that is away, and says so', async () => {
    await using store = await openTestStore()
    await using service = relayed(store)
    service.broker.failure = new AppError('UNREACHABLE', 'no broker')
    await service.add('order.created', 1)
    await expect.poll(() => service.log.lines.join('\n')).toContain('Events wait in the outbox: no broker')
    service.broker.failure = undefined
    await expect.poll(() => service.broker.kept.size).toBe(1)
  })

  it('sends a backlog in full batches', async () => {
    await using store = await openTestStore()
    const quiet = createOutbox<TestTables>({ store, service: 'order-service', clock })
    await store.transaction(async (trx) => {
      for (let n = 0; n < BATCH_EVENTS * 2 + 3; n++) await quiet.add(trx, { type: 'order.created', data: n })
    })
    await using service = relayed(store)
    await emptied(store)
    expect(service.broker.batches.map((batch) => batch.length)).toEqual([BATCH_EVENTS, BATCH_EVENTS, 3])
    expect([...service.broker.kept.values()].map(({ data }) => data)).toEqual(
      Array.from({ length: BATCH_EVENTS * 2 + 3 }, (_, n) => n),
    )
  })

  it('splits a batch of large events', async () => {
    await using store = await openTestStore()
    const quiet = createOutbox<TestTables>({ store, service: 'order-service', clock })
    await store.transaction(async (trx) => {
      for (let n = 0; n < 20; n++) await quiet.add(trx, { type: 'big', data: 'x'.repeat(250_000) })
    })
    await using service = relayed(store)
    await emptied(store)
    expect(service.broker.kept.size).toBe(20)
    for (const batch of service.broker.batches) expect(batch.length).toBeLessThanOrEqual(8)
  })

  it('keeps one event for an id that is added twice, and refuses another under it', async () => {
    await using store = await openTestStore()
    await using service = relayed(store)
    await store.transaction(async (trx) => {
      await service.outbox.add(trx, { id: 'twice', type: 'order.created', data: 1 })
      await service.outbox.add(trx, { id: 'twice', type: 'order.created', data: 1 })
      for (const other of [
        { type: 'order.created', data: 2 },
        { type: 'order.changed', data: 1 },
      ])
        await expect(service.outbox.add(trx, { id: 'twice', ...other })).rejects.toMatchObject({ code: 'CONFLICT' })
    })
    await expect.poll(() => service.broker.kept.size).toBe(1)
    expect(service.broker.kept.get('twice')?.data).toBe(1)
  })

  it('says when it does not drain, also one that is only not answered', async () => {
    await using store = await openTestStore()
    await using service = relayed(store)
    const { relay, broker, time } = service
    for (const failure of [new Error('broker away'), Promise.withResolvers<void>()]) {
      const publish = vi.spyOn(broker, 'publish')
      publish.mockImplementation(async () => {
        if (failure instanceof Error) throw failure
        return failure.promise
      })
      await service.add('order.created', 1)
      await expect.poll(() => publish.mock.calls.length).toBeGreaterThan(0)
      // why is known once it has given back what it could not send
      await expect.poll(() => service.log.lines.join('\n')).toContain('broker away')
      await relay.check()
      time.now += 4_000
      await relay.check()
      time.now += 1_000
      await expect(relay.check()).rejects.toThrow('Events wait in the outbox for 5 s now: broker away')
      publish.mockRestore()
      if (!(failure instanceof Error)) failure.resolve()
      await emptied(store)
      // it hears a moment later that the disk has it
      await expect.poll(() => relay.check().then(() => 'drains', messageOf)).toBe('drains')
    }
  })

  it('puts each event into the trace of the request that added it', async () => {
    await using store = await openTestStore()
    await using service = relayed(store)
    const tracing = createTracing({ service: 'order-service', clock, ship: () => {} })
    const spans = Array.from({ length: 8 }, () => tracing.start('POST /api/orders', { kind: 'server', parent: null }))
    await Promise.all(
      spans.map((span) =>
        runInScope({ span, requestId: span.traceId }, () => service.add('order.created', span.traceId)),
      ),
    )
    await expect.poll(() => service.broker.kept.size).toBe(spans.length)
    for (const { traceparent, data } of service.broker.kept.values()) expect(traceparent?.split('-')[1]).toBe(data)
  })

  it.each([
    ['a bad topic', { type: 'orders/*', data: 1 }, 'INVALID_REQUEST'],
    ['half a surrogate pair', { type: 'a', data: '\ud800' }, 'UNPROCESSABLE'],
    ['an event over 256 KiB', { type: 'a', data: 'x'.repeat(262_144) }, 'UNPROCESSABLE'],
    ['endless nesting', { type: 'a', data: JSON.parse(`${'['.repeat(70)}${']'.repeat(70)}`) }, 'UNPROCESSABLE'],
  ])('refuses %s where it is made', async (_, event, code) => {
    await using store = await openTestStore()
    await using service = relayed(store)
    await expect(store.transaction((trx) => service.outbox.add(trx, event))).rejects.toMatchObject({ code })
  })
})
