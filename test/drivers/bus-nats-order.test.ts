import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { describe, expect, it } from 'vitest'
import { laterSubject, streamsOf } from '../../src/drivers/bus/nats/streams.ts'
import { nats } from '../../src/drivers/bus/nats.ts'
import { systemClock } from '../../src/drivers/clock.ts'
import { startNats } from '../servers/nats.ts'
import { isHere } from '../servers/programs.ts'
import { ids, never } from './bus-fixture.ts'

describe.skipIf(!isHere('nats-server'))('messages of one key that waited for their time', () => {
  it('take their places in order where NATS has no room for the first, and hold up no others', async () => {
    await using server = await startNats()
    const streams = streamsOf('order')
    let passed = 0
    const clock = { now: () => systemClock.now() + passed, monotonic: () => systemClock.monotonic() + passed }
    const bus = await nats.open({ url: `${server.url}/order`, folder: '', clock })
    const connection = await connect({ servers: [`127.0.0.1:${server.port}`] })
    const manager = await jetstreamManager(connection)
    const waiting = async () => {
      const { state } = await manager.streams.info(streams.messages, { subjects_filter: laterSubject(streams) })
      return state.subjects?.[laterSubject(streams)]
    }
    const publish = (id: string, key: string, payload: string) =>
      bus.publish([{ id, topic: 'a', payload, attributes: { partitionkey: key }, delayMs: 600_000 }])
    const { id } = await bus.subscribe({ topic: 'other' })
    const placed = async () => {
      // the timer of ten minutes has not rung: whoever pulls has it looked at
      await bus.pull(id, { max: 1, waitMs: 0, signal: never })
      return ids((await bus.read('a', { after: await bus.place('a', 'first'), limit: 9 })).messages).toSorted()
    }

    await publish('x-1', 'x', `"${'x'.repeat(100_000)}"`)
    await publish('x-2', 'x', '2')
    await publish('y-1', 'y', '1')
    const { state } = await manager.streams.info(streams.messages)
    await manager.streams.update(streams.messages, { max_bytes: state.bytes + 50_000 })
    passed += 600_000
    await expect.poll(placed).toEqual(['y-1'])
    // what has its place waits no more: else it would get another one, once its id isn't known any longer
    await expect.poll(waiting).toBe(2)
    await manager.streams.update(streams.messages, { max_bytes: -1 })
    await expect.poll(async () => (await placed()).length).toBe(3)
    const { messages } = await bus.read('a', { after: await bus.place('a', 'first'), limit: 9 })
    expect(ids(messages)).toEqual(['y-1', 'x-1', 'x-2'])
    await connection.close()
    await bus.close()
  })
})

describe.skipIf(!isHere('nats-server'))('a bus that is filled', () => {
  it('is no longer filled once somebody else has published there, whose message would be among those that are moved', async () => {
    await using server = await startNats()
    const place = { url: `${server.url}/filled`, folder: '', clock: systemClock }
    const message = (at: number) =>
      ({ id: `${at}`, topic: 'a', payload: `${at}`, attributes: {}, timestamp: 1, place: at, part: 'kept' }) as const
    const filling = await nats.fill(place, 'run')
    await filling.add([message(1), message(2)])
    const connection = await connect({ servers: [`127.0.0.1:${server.port}`] })
    await connection.request('filled.m.b', '0')
    await connection.close()
    await expect(filling.add([message(3), message(4), message(5)])).rejects.toMatchObject({
      kind: 'conflict',
      message: expect.stringContaining('used by others'),
    })
    await filling.close()
  })
})
