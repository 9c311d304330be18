import { describe, expect, it } from 'vitest'
import { type BusFixture, ids, never } from './bus-fixture.ts'

/** What holds where several brokers have one bus open. Part of `busSuite`, for drivers that can. */
export function sharingSuite(use: BusFixture): void {
  describe.runIf(use.under.isShared)('several brokers on one bus', () => {
    it('share subscriptions, messages and what is settled', async () => {
      const other = await use.another()
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), group: 'g' })
      expect(await other.subscribe({ topic: use.topic('a'), group: 'g' })).toMatchObject({ id })
      await use.publish('a', '1', '2')
      const here = await use.bus.pull(id, { max: 1, waitMs: 5_000, signal: never })
      const there = await other.pull(id, { max: 1, waitMs: 5_000, signal: never })
      expect(ids([...here, ...there]).toSorted()).toEqual(['1', '2'])
      expect(await other.ack(id, [here[0]?.ack ?? ''])).toBe(1)
      expect(await use.bus.renew(id, [there[0]?.ack ?? ''])).toBe(1)
      expect(await use.bus.nack(id, [there[0]?.ack ?? ''], { delayMs: 0 })).toBe(1)
      expect(await use.take(id, 1)).toMatchObject([{ id: there[0]?.id, delivery: 2 }])
      expect(await use.bus.subscription(id)).toMatchObject({ pending: 1 })
    })

    it('make one copy of what is published at each', async () => {
      const other = await use.another()
      const receipts = await Promise.all(
        Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? use.bus : other).publish([use.message('a', 'same')])),
      )
      expect(receipts.flat().filter(({ duplicate }) => !duplicate)).toHaveLength(1)
      expect(ids(await use.readAll(use.topic('a')))).toEqual(['same'])
    })

    it('wake each other’s waiting pulls and readers, and understand each other’s cursors', async () => {
      const other = await use.another()
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      const after = await use.bus.place(use.topic('a'), 'new')
      const waiting = use.pull(id, 1, 10_000)
      const heard = new Promise<void>((resolve) => use.bus.watch(use.topic('a'), resolve))
      await other.publish([use.message('a', '1')])
      expect(ids(await waiting)).toEqual(['1'])
      await heard
      expect(ids((await other.read(use.topic('a'), { after, limit: 9 })).messages)).toEqual(['1'])
    })

    it('give back what a consumer got from them, each its own', async () => {
      const other = await use.another()
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      await use.publish('a', '1', '2')
      const pull = { max: 1, waitMs: 5_000, signal: never, consumer: 'x' }
      const [here] = await use.bus.pull(id, pull)
      const [there] = await other.pull(id, pull)
      expect(await use.bus.release(id, 'x')).toBe(1)
      expect(ids(await use.take(id, 1))).toEqual([here?.id])
      expect(await other.ack(id, [there?.ack ?? ''])).toBe(1)
    })

    it('list and cancel what waits for its time, wherever it was published', async () => {
      const other = await use.another()
      const message = { ...use.message('a', 'x'), delayMs: 60_000 }
      await use.bus.publish([message])
      expect(ids(await other.delayed({ limit: 9 }))).toEqual(['x'])
      expect(await other.cancelDelayed({ topic: use.topic('a'), id: 'x' })).toBe(true)
      expect(await use.bus.delayed({ limit: 9 })).toEqual([])
      expect(await use.bus.cancelDelayed({ topic: use.topic('a'), id: 'x' })).toBe(false)
      expect(await use.bus.publish([message])).toMatchObject([{ duplicate: false }])
      await other.cancelDelayed({ topic: use.topic('a'), id: 'x' })
      // where it was published it is still known, and is asked for
      expect(await use.bus.publish([{ ...message, delayMs: 0 }])).toMatchObject([{ duplicate: false }])
      expect(ids(await use.readAll(use.topic('a')))).toEqual(['x'])
    })

    it('have room for so many that wait together, and find out when another has cancelled one', async () => {
      await use.restart({ maxDelayed: 2 })
      const other = await use.another({ maxDelayed: 2 })
      const later = (id: string) => [{ ...use.message('a', id), delayMs: 60_000 }]
      await use.bus.publish(later('1'))
      await other.publish(later('2'))
      expect(ids(await use.bus.delayed({ limit: 9 }))).toEqual(['1', '2'])
      await expect(use.bus.publish(later('3'))).rejects.toMatchObject({ kind: 'too-many' })
      await other.cancelDelayed({ topic: use.topic('a'), id: '1' })
      expect(await use.bus.publish(later('3'))).toMatchObject([{ duplicate: false }])
      await expect(use.bus.publish(later('4'))).rejects.toMatchObject({ kind: 'too-many' })
    })

    it('tell each other of subscriptions', async () => {
      const other = await use.another()
      const told: unknown[] = []
      other.watchSubscriptions((id, terms) => told.push(terms ? [id, terms.push?.url] : id))
      const group = { topic: use.topic('a'), group: 'g' }
      const { id } = await use.bus.subscribe(group)
      await use.bus.subscribe({ ...group, push: { url: 'http://127.0.0.1:1/' } })
      await expect.poll(() => told.at(-1)).toEqual([id, 'http://127.0.0.1:1/'])
      await use.bus.unsubscribe(id)
      await expect.poll(() => told.at(-1)).toBe(id)
    })

    it('put dead letters back for each other, however large they are together', async () => {
      const other = await use.another()
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), maxDeliver: 1 })
      const payload = `"${'x'.repeat(600_000)}"`
      await use.bus.publish(['1', '2', '3'].map((one) => ({ ...use.message('a', one), payload })))
      const dead = await use.take(id, 3)
      await use.bus.nack(
        id,
        dead.map(({ ack }) => ack),
      )
      expect(await other.redrive({ subscription: id })).toBe(3)
      expect(ids(await use.take(id, 3)).toSorted()).toEqual(['1', '2', '3'])
      expect(await other.countDeadLetters(10)).toBe(0)
    })

    it('tell of a dead letter at one of them', async () => {
      const other = await use.another()
      const told: string[] = []
      for (const bus of [use.bus, other]) bus.watchDeadLetters((letter) => told.push(letter.id))
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), maxDeliver: 1 })
      await use.publish('a', '1', '2')
      const got = await use.take(id, 2)
      await use.bus.nack(id, [got[0]?.ack ?? ''])
      await other.nack(id, [got[1]?.ack ?? ''])
      await expect.poll(() => told.toSorted()).toEqual(['1', '2'])
      expect(await other.countDeadLetters(10)).toBe(2)
    })
  })
}
