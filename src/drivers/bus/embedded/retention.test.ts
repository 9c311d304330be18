import { describe, expect, it } from 'vitest'
import { useEmbeddedBus } from './testing/embedded-bus-fixture.ts'

const use = useEmbeddedBus()
const { open, reopen, advance, publish, numbered, pull, tokens, query } = use

describe('retention', () => {
  const infos = async () => (await use.bus.topics()).map((t) => [t.topic, t.messages, t.firstOffset, t.lastOffset])
  const trimmed = (wanted: unknown) => {
    advance(200)
    return expect
      .poll(async () => {
        advance(200)
        await use.bus.subscriptions()
        return infos()
      })
      .toEqual(wanted)
  }

  it('keeps the newest messages, and all that a subscription is not done with', async () => {
    await reopen({ keepMessages: 10 })
    const { id } = await use.bus.subscribe({ topic: 'a' })
    await publish('a', ...numbered(2500))
    const got = await pull(id, 2500)
    await trimmed([['a', 2500, 1, 2500]])
    await use.bus.ack(id, tokens(got.filter((d) => d.offset !== 100)))
    await trimmed([['a', 2401, 100, 2500]])
    await use.bus.ack(id, tokens(got.filter((d) => d.offset === 100)))
    await trimmed([['a', 10, 2491, 2500]])
    const fromFirst = await use.bus.subscribe({ topic: 'a', from: 'first' })
    expect(fromFirst.pending).toBe(10)
    expect((await pull(fromFirst.id)).map((d) => d.id)).toEqual(numbered(10, 2491))
  })

  it('still knows the ids and goes on numbering, after a restart too', async () => {
    await reopen({ keepMessages: 0 })
    await publish('a', ...numbered(20))
    await trimmed([['a', 0, 21, 20]])
    const end = await use.bus.place('a', 'new')
    await reopen({ keepMessages: 0 })
    expect(await use.bus.place('a', 'new')).toBe(end)
    expect(await publish('a', 'm5', 'm21')).toMatchObject([
      { offset: 5, duplicate: true },
      { offset: 21, duplicate: false },
    ])
    expect((await use.readAll('a')).map((m) => m.id)).toEqual(['m21'])
  })

  it('spares what waits for another message of its key', async () => {
    await reopen({ keepMessages: 0 })
    const { id } = await use.bus.subscribe({ topic: 'a' })
    const attributes = { partitionkey: 'x' }
    await use.bus.publish(numbered(3).map((one) => ({ id: one, topic: 'a', payload: `"${one}"`, attributes })))
    await publish('a', ...numbered(20, 4))
    const [first, ...others] = await pull(id)
    await use.bus.ack(id, tokens(others))
    await reopen({ keepMessages: 0 })
    await use.bus.ack(id, [first?.ack ?? ''])
    await trimmed([['a', 22, 2, 23]])
    for (const wanted of ['m2', 'm3']) {
      const got = await pull(id)
      expect(got).toMatchObject([{ id: wanted, payload: `"${wanted}"` }])
      await use.bus.ack(id, tokens(got))
    }
    await trimmed([['a', 0, 24, 23]])
  })

  it('trims what an unsubscribed one held back', async () => {
    await reopen({ keepMessages: 5 })
    const { id } = await use.bus.subscribe({ topic: 'a' })
    await publish('a', ...numbered(20))
    await use.bus.unsubscribe(id)
    await trimmed([['a', 5, 16, 20]])
  })

  it('spares what a dead letter needs to come back', async () => {
    await reopen({ keepMessages: 0 })
    const { id } = await use.bus.subscribe({ topic: 'a', maxDeliver: 1 })
    await publish('a', '1', '2')
    await use.bus.nack(id, tokens(await pull(id)), { reason: 'broken' })
    await trimmed([['a', 0, 3, 2]])
    expect(await use.bus.redrive({ ids: ['1'] })).toBe(1)
    await reopen({ keepMessages: 0 })
    const again = await pull(id)
    expect(again).toMatchObject([{ id: '1', payload: '"1"', delivery: 1, offset: 1 }])
    expect(await use.bus.ack(id, tokens(again))).toBe(1)
    expect(await use.bus.deadLetters({ limit: 10 })).toMatchObject([{ id: '2', payload: '"2"', reason: 'broken' }])
    expect(await use.bus.deadLetters({ id: '1', limit: 10 })).toEqual([])
    expect(await use.bus.deadLetters({ id: '2', limit: 10 })).toHaveLength(1)
  })
})

describe('retention far behind the newest message', () => {
  it('leaves a redriven message alone until it is settled', async () => {
    const { id } = await use.bus.subscribe({ topic: 'a', maxDeliver: 1 })
    await publish('a', '1', '2')
    const [first, second] = await pull(id)
    await use.bus.nack(id, [first?.ack ?? ''])
    await use.bus.ack(id, [second?.ack ?? ''])
    await use.bus.close()
    // As if 200 000 messages had come between the two.
    query("UPDATE messages SET offset = 200001, position = 200001 WHERE id = '2' RETURNING 1")
    query('UPDATE cursors SET next_offset = 200002 RETURNING 1')
    query('UPDATE topics SET first_offset = 200001 RETURNING 1')
    await open({ keepMessages: 0 })
    expect(await use.bus.redrive({})).toBe(1)
    const rows = async () => {
      advance(200)
      await use.bus.subscriptions()
      return (await use.bus.topics()).map((info) => info.messages)
    }
    await publish('a', '3')
    expect(await rows()).toEqual([2])
    // Comes after the step of trimming that is now due.
    await use.bus.deadLetters({ limit: 1 })
    const again = await pull(id)
    expect(again.map((d) => [d.id, d.offset, d.payload])).toEqual([
      ['1', 1, '"1"'],
      ['3', 200_002, '"3"'],
    ])
    await use.bus.ack(id, tokens(again))
    await expect.poll(rows).toEqual([0])
  })
})
