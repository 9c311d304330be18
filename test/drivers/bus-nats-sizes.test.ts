import { randomBytes, randomUUID } from 'node:crypto'
import { connect } from '@nats-io/transport-node'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Delivery } from '../../src/drivers/bus/consumer.ts'
import type { Bus } from '../../src/drivers/bus/contract.ts'
import { nats } from '../../src/drivers/bus/nats.ts'
import { systemClock } from '../../src/drivers/clock.ts'
import { type NatsServer, startNats } from '../servers/nats.ts'
import { isHere } from '../servers/programs.ts'
import { ids, never } from './bus-fixture.ts'

/** What the server takes in one message. */
const MOST = 32 * 1024

describe.skipIf(!isHere('nats-server'))('on a NATS that takes small messages', () => {
  let server: NatsServer
  let url = ''
  const buses: Bus[] = []
  beforeAll(async () => {
    server = await startNats({ config: `max_payload: ${MOST}` })
  })
  afterAll(() => server[Symbol.asyncDispose]())
  beforeEach(() => {
    url = `${server.url}/${randomUUID().slice(0, 13)}`
  })
  afterEach(async () => {
    await Promise.all(buses.splice(0).map((bus) => bus.close()))
  })

  async function open(): Promise<Bus> {
    const bus = await nats.open({ url, folder: '', clock: systemClock })
    buses.push(bus)
    return bus
  }

  function message(id: string, { key, payload = '1' }: { key?: string; payload?: string } = {}) {
    return { id, topic: 'a', payload, attributes: key === undefined ? {} : { partitionkey: key } }
  }

  async function take(bus: Bus, id: string, count: number): Promise<Delivery[]> {
    const got: Delivery[] = []
    while (got.length < count) {
      const part = await bus.pull(id, { max: count - got.length, waitMs: 10_000, signal: never })
      expect(part.length).toBeGreaterThan(0)
      got.push(...part)
    }
    return got
  }

  /** Publishes as much of a text as the server takes; gives that. */
  async function publishLongest(bus: Bus, id: string, text: string): Promise<string> {
    let [low, high] = [0, text.length]
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      const payload = text.slice(0, middle)
      const isTaken = await bus.publish([{ ...message(`${id} ${middle}`, { key: 'k', payload }), topic: 'try' }]).then(
        () => true,
        () => false,
      )
      ;[low, high] = isTaken ? [middle, high] : [low, middle]
    }
    const payload = text.slice(0, low - 16)
    await bus.publish([message(id, { key: 'k', payload })])
    return payload
  }

  const tokens = (deliveries: readonly Delivery[]) => deliveries.map(({ ack }) => ack)

  it('a subscription goes on, over restarts too, whose state is many times as long', async () => {
    const bus = await open()
    const { id } = await bus.subscribe({ topic: 'a', group: 'g', ackWaitMs: 600_000 })
    const keys = Array.from({ length: 1_500 }, () => randomUUID())
    await bus.publish(keys.map((key) => message(`first ${key}`, { key })))
    await bus.publish(keys.map((key) => message(`second ${key}`, { key })))
    const first = await take(bus, id, keys.length)
    expect(await bus.nack(id, tokens(first), { later: true, delayMs: 500 })).toBe(keys.length)
    await bus.close()

    const again = await open()
    await again.publish([message('last')])
    expect(await again.subscription(id)).toMatchObject({ pending: 2 * keys.length + 1, leased: 0 })
    const wanted = new Set(keys.flatMap((key) => [`first ${key}`, `second ${key}`]).concat('last'))
    const met: string[] = []
    while (met.length < wanted.size) {
      const part = await take(again, id, 1)
      part.push(...(await again.pull(id, { max: 999, waitMs: 0, signal: never })))
      met.push(...ids(part))
      await again.ack(id, tokens(part))
    }
    expect(new Set(met)).toEqual(wanted)
    expect(met.findIndex((one) => one.startsWith('first'))).toBeLessThan(met.findIndex((one) => one.startsWith('sec')))
    expect(await again.subscription(id)).toMatchObject({ pending: 0 })
  })

  it('brokers ask each other for more than fits into one', async () => {
    const leader = await open()
    const other = await open()
    const { id } = await leader.subscribe({ topic: 'a', group: 'g', ackWaitMs: 600_000, maxDeliver: 1 })
    const names = Array.from({ length: 2_000 }, (_, n) => `m${n}`)
    await leader.publish(names.map((name) => message(name)))
    const got = await take(leader, id, names.length)
    expect(await other.ack(id, tokens(got))).toBe(names.length)

    const payload = JSON.stringify('"'.repeat(MOST / 4))
    await leader.publish(['x', 'y', 'z'].map((name) => message(name, { payload })))
    for (const one of await take(leader, id, 3)) await leader.nack(id, [one.ack], { delayMs: 0 })
    expect(await other.redrive({ subscription: id })).toBe(3)
    expect((await take(other, id, 3)).map((one) => one.payload)).toEqual([payload, payload, payload])
  })

  it('brokers tell each other of topics whose names are more than fit into one', async () => {
    const [bus, other] = [await open(), await open()]
    const names = Array.from({ length: 60 }, (_, n) => `t.${n}.${'\u6587'.repeat(240)}`)
    const news = Promise.withResolvers<void>()
    other.watch('t.>', news.resolve)
    await bus.publish(names.map((topic, n) => ({ ...message(`m${n}`), topic })))
    await news.promise
    expect((await other.topics({ limit: 100 })).map(({ topic }) => topic)).toEqual(names)
  })

  it('the longest message that is taken can become a dead letter, and come back', async () => {
    const bus = await open()
    const { id } = await bus.subscribe({ topic: 'a', group: 'g', maxDeliver: 1 })
    const reason = '\u{1f4a5}'.repeat(250)
    const texts = [randomBytes(MOST).toString('base64'), '"\\'.repeat(MOST), randomBytes(MOST).toString()]
    for (const [n, text] of texts.entries()) {
      const longest = await publishLongest(bus, `long ${n}`, text)
      expect(Buffer.byteLength(longest)).toBeGreaterThan(MOST - 5_000)
      const [one] = await take(bus, id, 1)
      expect(await bus.nack(id, [one?.ack ?? ''], { reason })).toBe(1)
      expect(await bus.deadLetters({ subscription: id, limit: 10 })).toMatchObject([{ id: `long ${n}`, reason }])
      expect(await bus.redrive({ subscription: id })).toBe(1)
      const [back] = await take(bus, id, 1)
      expect(back).toMatchObject({ id: `long ${n}`, payload: longest, attributes: { partitionkey: 'k' } })
      await bus.ack(id, [back?.ack ?? ''])
    }
  })

  it('bytes that another client put there can become a dead letter, and come back', async () => {
    const bus = await open()
    await bus.publish([message('first')])
    const { id } = await bus.subscribe({ topic: 'a', group: 'g', maxDeliver: 1 })
    const connection = await connect({ servers: [`127.0.0.1:${server.port}`] })
    const subject = `${new URL(url).pathname.slice(1)}.m.a`
    await connection.request(subject, randomBytes(MOST))
    await connection.request(subject, Buffer.from(randomBytes(MOST).toString('base64')).subarray(0, MOST))
    await connection.close()
    const put = await take(bus, id, 2)
    expect(await bus.nack(id, tokens(put), { reason: 'no' })).toBe(2)
    expect(await bus.deadLetters({ subscription: id, limit: 10 })).toMatchObject(
      put.map(({ payload }) => ({ payload })),
    )
    expect(await bus.redrive({ subscription: id })).toBe(2)
    expect((await take(bus, id, 2)).map(({ payload }) => payload)).toEqual(put.map(({ payload }) => payload))
  })
})
