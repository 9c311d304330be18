import { describe, expect, it } from 'vitest'
import { type BusFixture, ids, never } from './bus-fixture.ts'

/** How messages of one key stay in order, as every bus driver must do it. Part of `busSuite`. */
export function keySuite(use: BusFixture): void {
  describe('messages of one key', () => {
    it('are handed out one at a time, in order, and hold up no other key', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), group: 'g' })
      await use.publishKeyed('a', 'x-1', 'x-2', 'y-1', 'x-3', 'y-2')
      await use.publish('a', 'free')
      const got = await use.take(id, 3)
      expect(ids(got).toSorted()).toEqual(['free', 'x-1', 'y-1'])
      expect(await use.pull(id)).toEqual([])
      expect(await use.bus.subscription(id)).toMatchObject({ pending: 6, leased: 3 })
      await use.ackAll(
        id,
        got.filter((one) => one.id === 'x-1'),
      )
      const second = await use.take(id, 1)
      expect(second).toMatchObject([{ id: 'x-2', delivery: 1, attributes: { partitionkey: 'x' } }])
      await use.ackAll(id, [...second, ...got.filter((one) => one.id === 'y-1')])
      expect(ids(await use.take(id, 2)).toSorted()).toEqual(['x-3', 'y-2'])
    })

    it('wake a waiting pull when the one before is done', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      await use.publishKeyed('a', 'x-1', 'x-2')
      const first = await use.take(id, 1)
      const waiting = use.pull(id, 9, 10_000)
      await use.ackAll(id, first)
      expect(ids(await waiting)).toEqual(['x-2'])
    })

    it('are in order over the topics of a pattern, and in each subscription for itself', async () => {
      const all = await use.bus.subscribe({ topic: use.topic('*') })
      const one = await use.bus.subscribe({ topic: use.topic('b') })
      await use.publishKeyed('a', 'x-1')
      await use.publishKeyed('b', 'x-2')
      expect(ids(await use.take(one.id, 1))).toEqual(['x-2'])
      const first = await use.take(all.id, 1)
      expect(ids(first)).toEqual(['x-1'])
      expect(await use.pull(all.id)).toEqual([])
      await use.ackAll(all.id, first)
      expect(ids(await use.take(all.id, 1))).toEqual(['x-2'])
    })

    it.each([
      ['refused', { delayMs: 300 }],
      ['put off', { later: true, delayMs: 300 }],
      ['given back unseen', { unseen: true }],
      ['left behind', { left: true }],
    ])('come again before later ones when they are %s', async (_, how) => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      await use.publishKeyed('a', 'x-1', 'x-2', 'y-1')
      const [first, other] = await use.take(id, 2)
      expect(first?.id).toBe('x-1')
      await use.bus.nack(id, [first?.ack ?? ''], how)
      await use.bus.ack(id, [other?.ack ?? ''])
      const again = await use.take(id, 1)
      expect(ids(again)).toEqual(['x-1'])
      await use.ackAll(id, again)
      expect(ids(await use.take(id, 1))).toEqual(['x-2'])
    })

    it('come again before later ones when their leases end, or their consumer is gone', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), ackWaitMs: 300 })
      await use.publishKeyed('a', 'x-1', 'x-2')
      await use.take(id, 1)
      expect(ids(await use.take(id, 1))).toEqual(['x-1'])
      const held = await use.bus.subscribe({ topic: use.topic('a'), from: 'first' })
      await use.bus.pull(held.id, { max: 1, waitMs: 5_000, signal: never, consumer: 'c' })
      expect(await use.bus.release(held.id, 'c')).toBe(1)
      expect(ids(await use.take(held.id, 1))).toEqual(['x-1'])
    })

    it('go on behind a dead letter, and take it back between two of them', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), maxDeliver: 1 })
      await use.publishKeyed('a', 'x-1', 'x-2', 'x-3')
      await use.bus.nack(id, [(await use.take(id, 1))[0]?.ack ?? ''])
      const second = await use.take(id, 1)
      expect(ids(second)).toEqual(['x-2'])
      expect(await use.bus.redrive({ subscription: id })).toBe(1)
      expect(await use.pull(id)).toEqual([])
      await use.ackAll(id, second)
      const rest: string[] = []
      for (let n = 0; n < 2; n++) {
        const got = await use.take(id, 1)
        expect(await use.pull(id)).toEqual([])
        rest.push(...ids(got))
        await use.ackAll(id, got)
      }
      expect(rest.toSorted()).toEqual(['x-1', 'x-3'])
      expect(await use.bus.subscription(id)).toMatchObject({ pending: 0, leased: 0 })
    })

    it('stay in order over a restart', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      await use.publishKeyed('a', 'x-1', 'x-2', 'x-3', 'y-1')
      const first = await use.take(id, 2)
      await use.restart()
      expect(
        await use.bus.ack(
          id,
          first.filter((one) => one.id === 'y-1').map(({ ack }) => ack),
        ),
      ).toBe(1)
      for (const wanted of ['x-1', 'x-2', 'x-3']) {
        const got = await use.take(id, 1)
        expect(ids(got)).toEqual([wanted])
        expect(await use.pull(id)).toEqual([])
        await use.ackAll(id, got)
        await use.restart()
      }
      expect(await use.bus.subscription(id)).toMatchObject({ pending: 0 })
    })

    it('are in order with many consumers at once, each message once', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), group: 'g' })
      const all = Array.from({ length: 200 }, (_, n) => `${'abcdefgh'[n % 8]}-${n}`)
      await use.publishKeyed('a', ...all)
      const seen: string[] = []
      const out = new Set<string>()
      const consume = async () => {
        while (seen.length < all.length) {
          const got = await use.pull(id, 5, 200)
          for (const one of got) {
            const key = one.id.slice(0, 1)
            expect(out.has(key)).toBe(false)
            out.add(key)
            seen.push(one.id)
          }
          await new Promise((resolve) => setTimeout(resolve, 1))
          for (const one of got) out.delete(one.id.slice(0, 1))
          await use.ackAll(id, got)
        }
      }
      await Promise.all(Array.from({ length: 6 }, consume))
      for (const key of 'abcdefgh') {
        expect(seen.filter((one) => one.startsWith(key))).toEqual(all.filter((one) => one.startsWith(key)))
      }
    })
  })
}
