import { connect } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Bus } from '../../src/drivers/bus/contract.ts'
import { nats } from '../../src/drivers/bus/nats.ts'
import { systemClock } from '../../src/drivers/clock.ts'
import { type NatsServer, startNats } from '../servers/nats.ts'
import { isHere } from '../servers/programs.ts'
import { ids, never } from './bus-fixture.ts'

describe.skipIf(!isHere('nats-server'))('what NATS keeps', () => {
  let server: NatsServer
  let passed = 0
  const clock = { now: () => systemClock.now() + passed, monotonic: () => systemClock.monotonic() + passed }
  beforeAll(async () => {
    server = await startNats()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  const open = (name: string, keepMessages = 10) =>
    nats.open({ url: `${server.url}/${name}?dedup=120`, folder: '', clock, keepMessages })
  const publish = (bus: Bus, topic: string, first: number, count: number) =>
    bus.publish(Array.from({ length: count }, (_, n) => ({ id: `m${first + n}`, topic, payload: '1', attributes: {} })))

  it('of a topic are the newest, and what somebody is not done with', async () => {
    const bus = await open('kept')
    const { id } = await bus.subscribe({ topic: 'a.*' })
    await publish(bus, 'a.x', 0, 30)
    await publish(bus, 'b', 0, 30)
    passed += 600_000
    const count = async (topic: string) => (await bus.topics()).find((one) => one.topic === topic)?.messages
    await publish(bus, 'b', 30, 1)
    await publish(bus, 'a.x', 30, 1)
    await expect.poll(() => count('b')).toBe(10)
    expect(await count('a.x')).toBe(31)
    const got = await bus.pull(id, { max: 25, waitMs: 20_000, signal: never })
    await bus.ack(
      id,
      got.map(({ ack }) => ack),
    )
    await publish(bus, 'a.x', 31, 1)
    await expect.poll(() => count('a.x')).toBe(10)
    expect(ids(await bus.pull(id, { max: 9, waitMs: 20_000, signal: never }))).toEqual(
      Array.from({ length: 7 }, (_, n) => `m${25 + n}`),
    )
    await bus.close()
  })

  it('is read by NATS’s own clients: the payload as it is, under its topic', async () => {
    const bus = await open('plain')
    const connection = await connect({ servers: [`127.0.0.1:${server.port}`] })
    const seen: string[] = []
    connection.subscribe('plain.m.order.>', {
      callback: (_, { subject, data }) => void seen.push(`${subject} ${Buffer.from(data)}`),
    })
    await connection.flush()
    await bus.publish([{ id: '1', topic: 'order.created', payload: '{"a":1}', attributes: { source: '/x' } }])
    await expect.poll(() => seen).toEqual(['plain.m.order.created {"a":1}'])
    await connection.close()
    await bus.close()
  })
})
