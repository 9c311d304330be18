import { connect } from '@nats-io/transport-node'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Bus } from '../../src/drivers/bus/contract.ts'
import { nats } from '../../src/drivers/bus/nats.ts'
import { systemClock } from '../../src/drivers/clock.ts'
import { type NatsServer, startNats } from '../servers/nats.ts'
import { isHere } from '../servers/programs.ts'
import { ids, never } from './bus-fixture.ts'

/** Together more than one answer of the server's to a reader has. */
const PAYLOAD = JSON.stringify('x'.repeat(500_000))
const NAMES = Array.from({ length: 30 }, (_, n) => `m${n}`)

describe.skipIf(!isHere('nats-server'))('on NATS, messages that are many megabytes together', () => {
  let server: NatsServer
  let bus: Bus
  let count = 0
  beforeAll(async () => {
    server = await startNats()
  })
  afterAll(() => server[Symbol.asyncDispose]())
  beforeEach(async () => {
    bus = await nats.open({ url: `${server.url}/b${count++}`, folder: '', clock: systemClock })
    await bus.publish(NAMES.map((id) => ({ id, topic: 'a', payload: PAYLOAD, attributes: {} })))
  })
  afterEach(() => bus.close())

  it('are read on with', async () => {
    const { messages } = await bus.read('a', { after: await bus.place('a', 'first'), limit: 1_000 })
    expect(ids(messages)).toEqual(NAMES)
  })

  it('are handed out as long as there are any', async () => {
    const { id } = await bus.subscribe({ topic: 'a', from: 'first' })
    const got: string[] = []
    for (let pulls = 0; got.length < NAMES.length && pulls < NAMES.length; pulls++) {
      const deliveries = await bus.pull(id, { max: 100, waitMs: 20_000, signal: never })
      expect(deliveries.length).toBeGreaterThan(0)
      got.push(...ids(deliveries))
      await bus.ack(
        id,
        deliveries.map(({ ack }) => ack),
      )
    }
    expect(got).toEqual(NAMES)
    expect(await bus.pull(id, { max: 100, waitMs: 100, signal: never })).toEqual([])
  })

  it('are all put back that are dead', async () => {
    const { id } = await bus.subscribe({ topic: 'a', from: 'first', maxDeliver: 1 })
    for (let left = NAMES.length; left > 0; ) {
      const part = await bus.pull(id, { max: 100, waitMs: 10_000, signal: never })
      left -= await bus.nack(
        id,
        part.map(({ ack }) => ack),
      )
    }
    expect(await bus.redrive({ subscription: id, ids: NAMES.slice(-1) })).toBe(1)
    let put = 1
    for (let part = 1; part > 0; put += part) {
      part = await bus.redrive({ subscription: id })
      // some at a time: all of them would be in memory, and on their way to the broker that leads
      expect(part).toBeLessThan(NAMES.length / 2)
    }
    expect(put).toBe(NAMES.length)
  })
})

describe.skipIf(!isHere('nats-server'))('on a NATS that takes large messages', () => {
  it('one that another client put there is handed out, whatever its size, and can die', async () => {
    await using server = await startNats({ config: 'max_payload: 20MB' })
    const bus = await nats.open({ url: `${server.url}/large`, folder: '', clock: systemClock })
    await bus.publish([{ id: '1', topic: 'a', payload: '1', attributes: {} }])
    const { id } = await bus.subscribe({ topic: 'a', maxDeliver: 1 })
    const connection = await connect({ servers: [`127.0.0.1:${server.port}`] })
    const text = 'x'.repeat(12_000_000)
    await connection.request('large.m.a', text)
    await connection.close()
    const [one] = await bus.pull(id, { max: 1, waitMs: 20_000, signal: never })
    expect(one?.payload).toBe(text)
    expect(await bus.nack(id, [one?.ack ?? ''])).toBe(1)
    expect((await bus.deadLetters({ subscription: id, limit: 1 }))[0]?.payload).toBe(text)
    await bus.close()
  })
})
