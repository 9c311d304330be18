import fc from 'fast-check'
import { expect, it } from 'vitest'
import { topicPattern } from '../topic-pattern.ts'
import { useEmbeddedBus } from './testing/embedded-bus-fixture.ts'

const use = useEmbeddedBus()
const { reopen, publish, numbered } = use

it('reads the same whatever the pages, the pattern and the topics', async () => {
  const names = ['t.a', 't.b', 't.c', 'u.a']
  const spread = fc.array(fc.nat(3), { minLength: 1, maxLength: 80 })
  const query = fc.record({
    pattern: fc.constantFrom('>', 't.*', 't.b', 'u.>'),
    limit: fc.integer({ min: 1, max: 30 }),
  })
  let stored = 0
  await fc.assert(
    fc.asyncProperty(spread, query, async (topics, { pattern, limit }) => {
      const start = await use.bus.place(pattern, 'new')
      const wanted: string[] = []
      const messages = topics.map((index) => {
        const topic = names[index] ?? ''
        const id = `m${stored++}`
        if (topicPattern(pattern).matches(topic)) wanted.push(id)
        return { id, topic, payload: '{}', attributes: {} }
      })
      await use.bus.publish(messages)
      const found: string[] = []
      for (let after = start; ; ) {
        const { messages, cursor } = await use.bus.read(pattern, { after, limit })
        if (messages.length === 0) break
        expect(messages.length).toBeLessThanOrEqual(limit)
        found.push(...messages.map(({ id }) => id))
        after = cursor
      }
      expect(found).toEqual(wanted)
    }),
    { numRuns: 40 },
  )
})

it('begins at any offset of a topic that is kept, or at the next one, and at no later one', async () => {
  await publish('other', 'x')
  await publish('a', ...numbered(9))
  for (const from of [1, 5, 9, 10]) {
    const after = await use.bus.place('a', from)
    const { messages } = await use.bus.read('a', { after, limit: 100 })
    expect(messages.map(({ offset }) => offset)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9].filter((offset) => offset >= from))
    expect(await use.bus.subscribe({ topic: 'a', from: { after } })).toMatchObject({ pending: 10 - from })
  }
  for (const from of [0, 11, 1.5]) await expect(use.bus.place('a', from)).rejects.toMatchObject({ kind: 'invalid' })
})

it('numbers each topic without gaps', async () => {
  await publish('a', 'x', 'x', 'y')
  await publish('b', 'x')
  expect(await publish('a', 'y', 'z')).toMatchObject([
    { offset: 2, duplicate: true },
    { offset: 3, duplicate: false },
  ])
})

it('delivers what nobody looked at as if it had not been delivered', async () => {
  const { id } = await use.bus.subscribe({ topic: 'a' })
  await publish('a', '1')
  for (let n = 0; n < 3; n++) {
    const got = await use.pull(id)
    expect(got).toMatchObject([{ id: '1', delivery: 1 }])
    await use.bus.nack(id, use.tokens(got), { unseen: true })
    await reopen()
  }
})

it('stores what others publish between the parts of many messages', async () => {
  const many = publish('a', ...numbered(2_000))
  await publish('a', 'another')
  const [another] = await publish('a', 'one more')
  expect(another?.offset).toBeLessThan(2_000)
  const receipts = await many
  expect(receipts.map(({ id }) => id)).toEqual(numbered(2_000))
  expect(new Set(receipts.map(({ offset }) => offset)).size).toBe(2_000)
  expect((await use.bus.topics())[0]).toMatchObject({ messages: 2_002 })
})

it('finds duplicates among the last 100 000 messages and not before', async () => {
  for (let first = 1; first <= 100_001; first += 10_000) await publish('a', ...numbered(10_000, first))
  await reopen()
  expect(await publish('a', 'm10000', 'm10002')).toMatchObject([
    { offset: 110_001, duplicate: false },
    { offset: 10_002, duplicate: true },
  ])
})
