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
    from: fc.integer({ min: 1, max: 12 }),
  })
  let stored = 0
  await fc.assert(
    fc.asyncProperty(spread, query, async (topics, { pattern, limit, from }) => {
      const start = await use.bus.end()
      const offsets = new Map((await use.bus.topics()).map((info) => [info.topic, info.lastOffset]))
      const base = Math.max(0, ...offsets.values())
      const wanted: string[] = []
      const messages = topics.map((index) => {
        const topic = names[index] ?? ''
        const offset = (offsets.get(topic) ?? 0) + 1
        offsets.set(topic, offset)
        const id = `m${stored++}`
        if (topicPattern(pattern).matches(topic) && offset >= base + from) wanted.push(id)
        return { id, topic, payload: '{}', attributes: {} }
      })
      await use.bus.publish(messages)
      const found: string[] = []
      for (let after = start; ; ) {
        const page = await use.bus.read(pattern, { after, from: base + from, limit })
        const last = page.at(-1)
        if (last === undefined) break
        expect(page.length).toBeLessThanOrEqual(limit)
        found.push(...page.map(({ id }) => id))
        after = last.position
      }
      expect(found).toEqual(wanted)
    }),
    { numRuns: 40 },
  )
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
