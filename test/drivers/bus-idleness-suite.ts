import { describe, expect, it } from 'vitest'
import { type BusFixture, ids } from './bus-fixture.ts'

/** How subscriptions end that nobody uses, as every bus driver must do it. Part of `busSuite`. */
export function idlenessSuite(use: BusFixture): void {
  describe('a subscription that nobody uses', () => {
    it('is removed once its time is over', async () => {
      use.stand()
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), expiresAfterMs: 1_500 })
      await use.publish('a', '1')
      await use.take(id, 1)
      use.goOn()
      await expect.poll(() => use.bus.subscription(id)).toBeUndefined()
    })
  })

  describe('a subscription that nobody uses for a day', () => {
    const day = 86_400_000

    it('is removed with all that it held once its time is over, and its neighbours are not', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), expiresAfterMs: day })
      const stays = await use.bus.subscribe({ topic: use.topic('a'), group: 'g' })
      expect(await use.bus.subscription(id)).toMatchObject({ expiresAfterMs: day })
      await use.publish('a', '1')
      use.pass(day - 60_000)
      expect(await use.bus.subscription(id)).toMatchObject({ pending: 1 })
      use.pass(60_000)
      await expect.poll(() => use.bus.subscription(id)).toBeUndefined()
      await expect(use.pull(id)).rejects.toMatchObject({ kind: 'not-found' })
      expect(ids(await use.take(stays.id, 1))).toEqual(['1'])
      await use.restart()
      expect(await use.bus.subscription(id)).toBeUndefined()
    })

    it('counts from the last pull, ack or nack', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), expiresAfterMs: day, ackWaitMs: 3 * day })
      await use.publish('a', '1', '2')
      const got = await use.take(id, 2)
      const uses = [
        () => use.pull(id),
        () => use.bus.ack(id, [got[0]?.ack ?? '']),
        () => use.bus.nack(id, [got[1]?.ack ?? ''], { delayMs: 0 }),
      ]
      for (const used of uses) {
        use.pass(day - 60_000)
        await used()
      }
      use.pass(day - 60_000)
      expect(await use.bus.subscription(id)).toBeDefined()
      use.pass(60_000)
      await expect.poll(() => use.bus.subscription(id)).toBeUndefined()
    })

    it('is in use while a pull waits', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), expiresAfterMs: day })
      const waiting = use.pull(id, 1, 5 * day)
      use.pass(2 * day)
      expect(await use.bus.subscription(id)).toBeDefined()
      await use.publish('a', '1')
      expect(ids(await waiting)).toEqual(['1'])
    })

    it('does not go by a wall clock that jumps', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), expiresAfterMs: day })
      for (const jump of [10 * day, -10 * day]) {
        use.jumpWallClock(jump)
        expect(await use.bus.subscription(id)).toBeDefined()
      }
      use.jumpWallClock(10 * day)
      await use.restart()
      // set forward while it was down: whoever uses it has a minute to come back
      expect(await use.bus.subscription(id)).toBeDefined()
      await use.pull(id)
      use.pass(day - 60_000)
      expect(await use.bus.subscription(id)).toBeDefined()
    })
  })
}
