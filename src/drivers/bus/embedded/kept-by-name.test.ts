import { describe, expect, it } from 'vitest'
import { never, useEmbeddedBus } from './testing/embedded-bus-fixture.ts'

const use = useEmbeddedBus()
const { reopen, publish, numbered, pull } = use

describe('what is kept by name', () => {
  it('is no more topics than there may be, of many messages too: none of them is stored', async () => {
    await reopen({ maxTopics: 1_000 })
    const many = numbered(1_001).map((id) => ({ id, topic: `t.${id}`, payload: '1', attributes: {} }))
    await expect(use.bus.publish(many)).rejects.toMatchObject({ kind: 'too-many' })
    expect(await use.bus.topics()).toEqual([])
  })

  it('is no more topics than there may be, besides reserved ones; those there are go on', async () => {
    const reservedTopics = ['order.created']
    await reopen({ maxTopics: 2, reservedTopics })
    await publish('a', '1')
    const both = ['b', 'c'].map((topic) => ({ id: topic, topic, payload: '1', attributes: {} }))
    await expect(use.bus.publish(both)).rejects.toMatchObject({ kind: 'too-many' })
    await publish('b', '1')
    await expect(publish('c', '1')).rejects.toMatchObject({ kind: 'too-many' })
    await Promise.all([publish('a', '2'), publish('b', '2'), publish('order.created', '1')])
    await expect(publish('c', '1')).rejects.toMatchObject({ kind: 'too-many' })
    await reopen({ maxTopics: 1, reservedTopics })
    expect((await use.bus.topics()).map(({ topic, messages }) => [topic, messages])).toEqual([
      ['a', 2],
      ['b', 2],
      ['order.created', 1],
    ])
    await publish('a', '3')
  })

  it('is no more subscriptions than there may be, besides reserved ones', async () => {
    await reopen({ maxSubscriptions: 1 })
    const one = await use.bus.subscribe({ topic: 'a', group: 'g' })
    await expect(use.bus.subscribe({ topic: 'a' })).rejects.toMatchObject({ kind: 'too-many' })
    expect((await use.bus.subscribe({ topic: 'a', group: 'g' })).id).toBe(one.id)
    const reserved = await use.bus.subscribe({ topic: 'a', group: 'r', reserved: true })
    await use.bus.unsubscribe(reserved.id)
    await use.bus.unsubscribe(one.id)
    await use.bus.subscribe({ topic: 'a' })
  })

  it('is no more subscriptions of one owner than his share, besides reserved ones, and nobody else lacks a place for it', async () => {
    await reopen({ maxSubscriptions: 4, maxSubscriptionsPerOwner: 2 })
    const made = []
    for (const group of ['g', 'h']) made.push(await use.bus.subscribe({ topic: 'a', group, owner: 'shop' }))
    await expect(use.bus.subscribe({ topic: 'a', owner: 'shop' })).rejects.toMatchObject({ kind: 'too-many' })
    await use.bus.subscribe({ topic: 'a', group: 'h', owner: 'shop' })
    await use.bus.subscribe({ topic: 'a', group: 'r', owner: 'shop', reserved: true })
    await use.bus.subscribe({ topic: 'a', owner: 'other' })
    for (const { id } of made) await use.bus.unsubscribe(id)
    await use.bus.subscribe({ topic: 'a', owner: 'shop' })
    await expect(use.bus.subscribe({ topic: 'a', owner: 'shop' })).rejects.toMatchObject({ kind: 'too-many' })
    await use.bus.subscribe({ topic: 'a' })
  })

  it('is no more topics of one owner than his share, reopened too, besides reserved ones and those of nobody', async () => {
    const limits = { maxTopicsPerOwner: 2, reservedTopics: ['r'] }
    const make = (owner?: string, ...topics: string[]) =>
      use.bus.publish(
        topics.map((topic) => ({ id: topic, topic, payload: '1', attributes: {} })),
        owner,
      )
    await reopen(limits)
    await make(undefined, 'x', 'y', 'z')
    await make('shop', 'a', 'r', 'x')
    await reopen(limits)
    await expect(make('shop', 'b', 'c')).rejects.toMatchObject({ kind: 'too-many' })
    await make('shop', 'b', 'y')
    await expect(make('shop', 'c')).rejects.toMatchObject({ kind: 'too-many' })
    await make('other', 'c')
  })

  it('costs a pattern nothing by topic: neither to subscribe, nor to pull, nor to publish past it', async () => {
    const names = Array.from({ length: 10_000 }, (_, i) => `t.${i}`)
    const fill = (topics: string[], id: string) =>
      use.bus.publish(topics.map((topic) => ({ id, topic, payload: '1', attributes: {} })))
    await fill(names, '1')
    const made: string[] = []
    const took: number[] = []
    for (let n = 0; n < 50; n++) {
      // not what others had the processor for meanwhile, nor what the disk took
      const start = process.threadCpuUsage()
      made.push((await use.bus.subscribe({ topic: n % 2 ? 't.*' : '>' })).id)
      const { user, system } = process.threadCpuUsage(start)
      took.push((user + system) / 1_000)
    }
    // each took 35 ms when a subscription kept a place in every topic
    expect(took.toSorted((one, other) => one - other)[25]).toBeLessThan(15)
    await fill(names.slice(0, 100), '2')
    for (const id of made.slice(0, 2)) {
      const got = await pull(id, 100)
      expect(got).toHaveLength(100)
      expect(got.every((delivery) => delivery.id === '2')).toBe(true)
      expect(await use.bus.subscription(id)).toMatchObject({ pending: 100, leased: 100 })
    }
  })

  it('lets a pattern’s reader find what lies far behind much that is not its own', async () => {
    const { id } = await use.bus.subscribe({ topic: 'rare.*' })
    const waiting = use.bus.pull(id, { max: 5, waitMs: 20_000, signal: never })
    for (let first = 1; first <= 5_000; first += 1_000) await publish('busy', ...numbered(1_000, first))
    await publish('rare.a', '1')
    expect((await waiting).map((d) => d.id)).toEqual(['1'])
    for (let first = 6_000; first <= 10_000; first += 1_000) await publish('busy', ...numbered(1_000, first))
    await publish('rare.b', '2')
    expect((await pull(id)).map((d) => d.id)).toEqual(['2'])
    const [first] = await use.readAll('rare.*')
    expect(first?.id).toBe('1')
    const { messages } = await use.bus.read('rare.*', { after: first?.cursor ?? '', limit: 10 })
    expect(messages).toMatchObject([{ id: '2' }])
    expect(await pull(id)).toEqual([])
  })

  it('is listed page by page', async () => {
    const pages = async () => [
      (await use.bus.topics({ limit: 2 })).map(({ topic }) => topic),
      (await use.bus.topics({ limit: 2, after: 'b' })).map(({ topic }) => topic),
      (await use.bus.topics({ limit: 2, after: 'gone' })).map(({ topic }) => topic),
    ]
    for (const topic of ['a', 'b', 'c']) await publish(topic, '1')
    expect(await pages()).toEqual([['a', 'b'], ['c'], []])
    const [one, two] = [await use.bus.subscribe({ topic: 'a' }), await use.bus.subscribe({ topic: 'b' })]
    expect((await use.bus.subscriptions({ limit: 1 })).map(({ id }) => id)).toEqual([one.id])
    expect((await use.bus.subscriptions({ limit: 5, after: one.id })).map(({ id }) => id)).toEqual([two.id])
  })
})
