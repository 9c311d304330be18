import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/drivers/clock.ts'
import type { Store } from '../../src/drivers/store/contract.ts'
import { openStore } from '../../src/drivers/store/open.ts'
import { AppError } from '../../src/kit/errors.ts'
import { once } from '../../src/kit/messaging/inbox.ts'
import { createOutbox } from '../../src/kit/messaging/outbox.ts'
import { startRelay } from '../../src/kit/messaging/outbox-relay.ts'
import { shareOf } from '../../src/kit/messaging/outbox-shares.ts'
import { type TestTables, testMigrations } from '../../src/kit/messaging/testing/open-test-store.ts'
import { recordedLog } from '../../src/kit/telemetry/testing/recorded-log.ts'
import { startPostgres, UNSYNCED } from '../servers/postgres.ts'
import { isHere } from '../servers/programs.ts'

const server = isHere('postgres') ? await startPostgres({ config: UNSYNCED }) : undefined
afterAll(() => server?.[Symbol.asyncDispose]())

const opened: Store<TestTables>[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()))
})

async function open(name: string): Promise<Store<TestTables>> {
  const store = await openStore<TestTables>({ url: server?.url ?? '', name, folder: '', migrations: testMigrations })
  opened.push(store)
  return store
}

interface Sent {
  readonly id: string
  readonly partitionkey: string
  readonly data: number
}

/** A broker that keeps each id once, in the order in which they came, and answers after a while. */
function fakeBroker() {
  const kept = new Map<string, Sent>()
  const broker = {
    kept,
    /** Events that came, also again. */
    came: 0,
    isAway: false,
    async publish(texts: readonly string[]) {
      if (broker.isAway) throw new AppError('UNREACHABLE', 'no broker')
      for (const text of texts) {
        const event: Sent = JSON.parse(text)
        broker.came++
        if (!kept.has(event.id)) kept.set(event.id, event)
      }
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 5))
    },
    /** What was sent of each key, in order. */
    byKey: () => Map.groupBy(kept.values(), ({ partitionkey }) => partitionkey),
  }
  return broker
}

function instanceOf(store: Store<TestTables>, holder: string, broker: ReturnType<typeof fakeBroker>, skewMs = 0) {
  const stop = new AbortController()
  const clock = { now: () => Date.now() + skewMs, monotonic: () => performance.now() }
  const relay = startRelay({ store, holder, broker, log: recordedLog(), clock: systemClock, signal: stop.signal })
  const outbox = createOutbox<TestTables>({ store, service: 'order-service', clock })
  return {
    add: (key: string, data: number) => store.transaction((trx) => outbox.add(trx, { type: 'counted', key, data })),
    async [Symbol.asyncDispose]() {
      stop.abort()
      await relay.stopped
    },
  }
}

const rowsLeft = async (store: Store<TestTables>) => (await store.db.selectFrom('outbox').select('id').execute()).length

describe.skipIf(!server)('an outbox on PostgreSQL', () => {
  it('is sent by several relays at once, each event once and those of a key in order, whatever clocks say', async () => {
    const name = `outbox-${randomUUID()}`
    const broker = fakeBroker()
    const stores = [await open(name), await open(name), await open(name)]
    const instances = stores.map((store, at) => instanceOf(store, `order-${at}`, broker, at * -3_600_000))
    const keys = Array.from({ length: 24 }, (_, at) => `order ${at}`)
    const each = 20
    // each event of a key is written by another instance than the one before
    await Promise.all(
      keys.map(async (key, at) => {
        for (let n = 0; n < each; n++) await instances[(at + n) % 3]?.add(key, n)
      }),
    )
    await vi.waitUntil(() => broker.kept.size === keys.length * each, { timeout: 20_000 })
    for (const [key, events] of broker.byKey()) {
      expect(
        events.map(({ data }) => data),
        key,
      ).toEqual(Array.from({ length: each }, (_, n) => n))
    }
    for (const store of stores) await vi.waitUntil(async () => (await rowsLeft(store)) === 0, { timeout: 20_000 })
    expect(broker.came).toBe(broker.kept.size)
    for (const instance of instances) await instance[Symbol.asyncDispose]()
  })

  it('is sent by another when its taker is gone, and by the one in its place at once', async () => {
    const name = `outbox-${randomUUID()}`
    const broker = fakeBroker()
    const [here, there] = [await open(name), await open(name)]
    const outbox = createOutbox<TestTables>({ store: here, service: 'order-service', clock: systemClock })
    const write = (key: string) => here.transaction((trx) => outbox.add(trx, { type: 'counted', key, data: 1 }))
    await write('a')
    const gone = shareOf(here, 'order-1')
    expect(await gone.take(10)).toHaveLength(1)
    expect(await shareOf(there, 'order-2').take(10)).toEqual([])
    expect(await shareOf(there, 'order-1').take(10)).toHaveLength(1)
    await using _ = instanceOf(there, 'order-2', broker)
    await vi.waitUntil(() => broker.kept.size === 1, { timeout: 20_000 })
    await vi.waitUntil(async () => (await rowsLeft(here)) === 0, { timeout: 20_000 })
  })

  it('lets another try when the broker can’t be reached from here', async () => {
    const name = `outbox-${randomUUID()}`
    const [away, well] = [fakeBroker(), fakeBroker()]
    away.isAway = true
    const [here, there] = [await open(name), await open(name)]
    const cutOff = instanceOf(here, 'order-1', away)
    const reaching = instanceOf(there, 'order-2', well)
    for (let n = 0; n < 20; n++) await cutOff.add(`order ${n}`, n)
    await vi.waitUntil(() => well.kept.size === 20, { timeout: 20_000 })
    await cutOff[Symbol.asyncDispose]()
    await reaching[Symbol.asyncDispose]()
  })

  it.each(['serializable', 'shared'] as const)(
    'lets an event that several instances handle at once have one effect (%s)',
    async (isolation) => {
      const name = `inbox-${randomUUID()}`
      const stores = [await open(name), await open(name)]
      const ids = Array.from({ length: 10 }, (_, at) => `event ${at}`)
      const ran = await Promise.all(
        [...ids, ...ids, ...ids].map((id, at) => {
          const inbox = { store: stores[at % 2] ?? expect.fail(), isolation }
          return once(inbox, { id, topic: 'counted', payload: id }, async (trx) => {
            await trx.insertInto('effects').values({ name: id }).execute()
          })
        }),
      )
      expect(ran.filter(Boolean)).toHaveLength(ids.length)
      const effects = await stores[0]?.db.selectFrom('effects').select('name').orderBy('name').execute()
      expect(effects?.map(({ name }) => name)).toEqual(ids)
    },
  )
})
