import { describe, expect, it } from 'vitest'
import { type BusFixture, ids } from './bus-fixture.ts'

/** How readers look on, and what they begin at, as every bus driver must do it. Part of `busSuite`. */
export function readerSuite(use: BusFixture): void {
  describe('read and watch', () => {
    it('reads topics that fit in the order stored, page by page, without leasing', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      const start = await use.bus.place(use.topic('*'), 'new')
      for (const [name, n] of [
        ['a', '1'],
        ['b', '2'],
        ['a', '3'],
        ['c.d', '4'],
        ['b', '5'],
      ] as const)
        await use.publish(name, n)
      const page = await use.bus.read(use.topic('*'), { after: start, limit: 3 })
      expect(ids(page.messages)).toEqual(['1', '2', '3'])
      const rest = await use.bus.read(use.topic('*'), { after: page.cursor, limit: 3 })
      expect(ids(rest.messages)).toEqual(['5'])
      const end = await use.bus.read(use.topic('*'), { after: rest.cursor, limit: 3 })
      expect(end.messages).toEqual([])
      await use.publish('a', '6')
      expect(ids((await use.bus.read(use.topic('*'), { after: end.cursor, limit: 3 })).messages)).toEqual(['6'])
      expect(await use.readAll(use.topic('none'))).toEqual([])
      expect(ids(await use.take(id, 3))).toEqual(['1', '3', '6'])
    })

    it('gives places that a reader and a subscription can begin behind, also after a restart', async () => {
      for (const [name, n] of ['a', 'b', 'a', 'b', 'a'].map((name, at) => [name, `${at + 1}`] as const))
        await use.publish(name, n)
      const [, second] = await use.readAll(use.topic('*'))
      const after = second?.cursor ?? ''
      expect(after).toMatch(/^c[\w-]{1,100}$/)
      const one = await use.bus.subscribe({ topic: use.topic('a'), group: 'g', from: { after } })
      const all = await use.bus.subscribe({ topic: use.topic('*'), group: 'g', from: { after } })
      expect([one.pending, all.pending]).toEqual([2, 3])
      await use.restart()
      expect(ids(await use.take(one.id, 2))).toEqual(['3', '5'])
      expect(ids(await use.take(all.id, 3))).toEqual(['3', '4', '5'])
      expect(await use.bus.place(use.topic('*'), { after })).toBe(after)
      expect(ids((await use.bus.read(use.topic('a'), { after, limit: 9 })).messages)).toEqual(['3', '5'])
    })

    it('begins at an offset of a topic', async () => {
      await use.publish('b', 'other')
      const receipts = await use.publish('a', '1', '2', '3')
      for (const [at, { offset }] of receipts.entries()) {
        const after = await use.bus.place(use.topic('a'), offset ?? 0)
        const { messages } = await use.bus.read(use.topic('a'), { after, limit: 9 })
        expect(ids(messages)).toEqual(['1', '2', '3'].slice(at))
      }
    })

    it('refuses a place that is not there', async () => {
      await use.publish('a', '1')
      for (const [pattern, from] of [
        ['a', 1e9],
        ['b', 1e9],
        ['*', 1],
        ['a', { after: 'czzzzzz' }],
        ['a', { after: 'c' }],
        ['a', { after: 'nonsense' }],
      ] as const) {
        await expect(use.bus.place(use.topic(pattern), from)).rejects.toMatchObject({ kind: 'invalid' })
      }
      const beyond = { topic: use.topic('a'), from: { after: 'czzzzzz' } }
      await expect(use.bus.subscribe(beyond)).rejects.toMatchObject({ kind: 'invalid' })
    })

    it('tells who watches, and no one else', async () => {
      let told = 0
      const heard = new Promise<void>((resolve) => {
        use.bus.watch(use.topic('order.*'), () => {
          told++
          resolve()
        })
      })
      const stop = use.bus.watch(use.topic('>'), () => {
        throw new Error('watched after it was stopped')
      })
      stop()
      await use.publish('payment.done', '1')
      expect(told).toBe(0)
      await use.publish('order.created', '2')
      await heard
    })

    it('lists topics', async () => {
      const [first, last] = await use.publish('a', '1', '2')
      const [only] = await use.publish('b', '3')
      const topics = await use.bus.topics()
      const own = topics.filter((info) => info.topic.startsWith(use.topic('')))
      expect(own.toSorted((a, b) => (a.topic < b.topic ? -1 : 1))).toEqual([
        { topic: use.topic('a'), messages: 2, firstOffset: first?.offset, lastOffset: last?.offset },
        { topic: use.topic('b'), messages: 1, firstOffset: only?.offset, lastOffset: only?.offset },
      ])
      const [page] = await use.bus.topics({ limit: 1 })
      expect(await use.bus.topics({ limit: 100, after: page?.topic })).toEqual(topics.slice(1, 101))
    })
  })
}
