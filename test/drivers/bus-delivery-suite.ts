import { describe, expect, it } from 'vitest'
import { leastTime } from '../least-time.ts'
import { type BusFixture, ids, never } from './bus-fixture.ts'

/** What is ready reaches who waits for it within this time, in milliseconds. */
const AT_ONCE = 800

/** How messages reach consumers and come to an end, as every bus driver must do it. Part of `busSuite`. */
export function deliverySuite(use: BusFixture): void {
  describe('pull', () => {
    it('gives each message of a group to one consumer', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), group: 'g' })
      const all = Array.from({ length: 50 }, (_, i) => `m${i}`)
      await use.publish('a', ...all)
      const got: string[] = []
      const consume = async () => {
        // one of them may get fewer than it asks for
        while (got.length < all.length) got.push(...ids(await use.pull(id, 5, 500)))
      }
      await Promise.all(Array.from({ length: 10 }, consume))
      expect(got.toSorted()).toEqual(all.toSorted())
      expect(await use.pull(id)).toEqual([])
    })

    it('waits for a message', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      const waiting = use.pull(id, 10, 20_000)
      await use.publish('a', '1')
      expect(ids(await waiting)).toEqual(['1'])
    })

    it('ends empty after its time, or when its signal fires', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      expect(await use.pull(id, 1, 30)).toEqual([])
      const given = new AbortController()
      const waiting = use.pull(id, 1, 20_000, given.signal)
      given.abort()
      expect(await waiting).toEqual([])
      expect(await use.pull(id, 1, 20_000, given.signal)).toEqual([])
      await use.publish('a', '1')
      expect(ids(await use.take(id, 1))).toEqual(['1'])
    })

    it('gives large messages in parts that a consumer can take, none twice', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      const all = Array.from({ length: 12 }, (_, i) => ({
        ...use.message('a', `m${i}`),
        payload: `"${'é'.repeat(5e5)}"`,
      }))
      await use.bus.publish(all)
      const got: string[] = []
      while (got.length < all.length) {
        const part = await use.pull(id, 100, 5_000)
        const bytes = part.reduce((sum, { payload }) => sum + Buffer.byteLength(payload), 0)
        expect(bytes).toBeLessThanOrEqual(8_388_608)
        got.push(...ids(part))
      }
      expect(got.toSorted()).toEqual(ids(all).toSorted())
    })

    it('gives all that waits, however large it is together, though nothing new comes', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      const all = Array.from({ length: 40 }, (_, i) => ({
        ...use.message('a', `m${i}`),
        payload: `"${'x'.repeat(6e5)}"`,
      }))
      await use.bus.publish(all)
      await use.restart()
      const got: string[] = []
      while (got.length < all.length) {
        const part = await use.pull(id, 10, 20_000)
        expect(part.length).toBeGreaterThan(0)
        got.push(...ids(part))
        await use.ackAll(id, part)
      }
      expect(got).toEqual(ids(all))
      expect(await use.pull(id)).toEqual([])
    })

    it('serves those that wait in turn', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      const waiting = Array.from({ length: 5 }, () => use.pull(id, 1, 20_000))
      for (const n of [1, 2, 3, 4, 5]) await use.publish('a', `m${n}`)
      expect((await Promise.all(waiting)).map(ids)).toEqual([['m1'], ['m2'], ['m3'], ['m4'], ['m5']])
    })
  })

  describe('ack', () => {
    it('ends a delivery for good, once, and only for its own subscription', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), group: 'g' })
      const other = await use.bus.subscribe({ topic: use.topic('a'), group: 'other' })
      await use.publish('a', '1', '2')
      const got = await use.take(id, 2)
      expect(await use.ackAll(other.id, got)).toBe(0)
      expect(await use.bus.ack(id, ['', 'nonsense', '1-1-1-1'])).toBe(0)
      expect(await use.ackAll(id, [...got, ...got])).toBe(2)
      expect(await use.ackAll(id, got)).toBe(0)
      await use.restart()
      expect(await use.pull(id)).toEqual([])
      expect(ids(await use.take(other.id, 2))).toEqual(['1', '2'])
    })

    it('comes too late once the message was delivered again', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), ackWaitMs: 300 })
      use.stand()
      await use.publish('a', '1')
      const [first] = await use.take(id, 1)
      use.pass(400)
      const [second] = await use.take(id, 1)
      expect(second).toMatchObject({ id: '1', delivery: 2 })
      expect(await use.bus.ack(id, [first?.ack ?? ''])).toBe(0)
      expect(await use.bus.ack(id, [second?.ack ?? ''])).toBe(1)
    })

    it('is good over a restart until the message is delivered again', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      await use.publish('a', '1', '2')
      const before = await use.take(id, 2)
      await use.restart()
      expect(await use.bus.ack(id, [before[0]?.ack ?? ''])).toBe(1)
      const after = await use.take(id, 1)
      expect(after).toMatchObject([{ id: '2', delivery: 2 }])
      expect(await use.bus.ack(id, [before[1]?.ack ?? ''])).toBe(0)
      expect(await use.ackAll(id, after)).toBe(1)
    })
  })

  describe('a lease', () => {
    it('outlives a jump of the wall clock by a day', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      await use.publish('a', '1')
      const got = await use.take(id, 1)
      for (const jump of [86_400_000, -86_400_000]) {
        use.jumpWallClock(jump)
        expect(await use.pull(id, 1, 20)).toEqual([])
      }
      expect(await use.ackAll(id, got)).toBe(1)
    })

    it('wakes a waiting pull when it ends', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), ackWaitMs: 50 })
      await use.publish('a', '1')
      await use.take(id, 1)
      expect(await use.pull(id, 1, 20_000)).toMatchObject([{ id: '1', delivery: 2 }])
    })
  })

  describe('renew', () => {
    it('begins a lease anew, and is refused once it is over', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), ackWaitMs: 1_000 })
      use.stand()
      await use.publish('a', '1')
      const [held] = await use.take(id, 1)
      const tokens = [held?.ack ?? '']
      for (let n = 0; n < 3; n++) {
        use.pass(900)
        expect(await use.bus.renew(id, tokens)).toBe(1)
      }
      expect(await use.pull(id)).toEqual([])
      expect(await use.bus.renew(id, ['nonsense'])).toBe(0)
      use.pass(1_100)
      expect(await use.bus.renew(id, tokens)).toBe(0)
      expect(await use.take(id, 1)).toMatchObject([{ id: '1', delivery: 2 }])
    })

    it('keeps what a consumer has over a restart, too', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      await use.publish('a', '1')
      const [held] = await use.take(id, 1)
      await use.restart()
      expect(await use.bus.renew(id, [held?.ack ?? ''])).toBe(1)
      expect(await use.pull(id)).toEqual([])
      expect(await use.bus.ack(id, [held?.ack ?? ''])).toBe(1)
    })
  })

  describe('a consumer that is gone', () => {
    it('gives back at once all that it has, and nothing of another', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), maxDeliver: 1 })
      await use.publish('a', '1', '2', '3')
      const pull = (consumer: string) => use.bus.pull(id, { max: 1, waitMs: 0, signal: never, consumer })
      const [one, two] = [await pull('x'), await pull('y')]
      await pull('x')
      const waiting = use.pull(id, 5, 20_000)
      expect(await use.bus.release(id, 'x')).toBe(2)
      expect(ids(await waiting).toSorted()).toEqual(['1', '3'])
      expect(await use.ackAll(id, one)).toBe(0)
      expect(await use.ackAll(id, two)).toBe(1)
      expect(await use.bus.release(id, 'x')).toBe(0)
    })

    it('leaves what it had to a pull that waits', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      let n = 0
      const least = await leastTime(AT_ONCE, async () => {
        await use.publish('a', `${++n}`)
        await use.bus.pull(id, { max: 1, waitMs: 20_000, signal: never, consumer: 'x' })
        const waiting = use.pull(id, 1, 15_000)
        // who waits has found nothing by now
        expect(await use.bus.subscription(id)).toMatchObject({ leased: 1 })
        const start = performance.now()
        expect(await use.bus.release(id, 'x')).toBe(1)
        const got = await waiting
        const took = performance.now() - start
        expect(ids(got)).toEqual([`${n}`])
        await use.ackAll(id, got)
        return took
      })
      expect(least).toBeLessThan(AT_ONCE)
    })
  })

  describe('nack', () => {
    it('brings the message again after the delay', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      await use.publish('a', '1')
      const [first] = await use.take(id, 1)
      use.stand()
      expect(await use.bus.nack(id, [first?.ack ?? ''], { delayMs: 300 })).toBe(1)
      expect(await use.bus.ack(id, [first?.ack ?? ''])).toBe(0)
      expect(await use.pull(id)).toEqual([])
      const start = performance.now()
      use.goOn()
      expect(await use.pull(id, 1, 20_000)).toMatchObject([{ id: '1', delivery: 2 }])
      expect(performance.now() - start).toBeGreaterThanOrEqual(295)
    })

    it('waits 100 ms or a little more the first time when no delay is given', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      await use.publish('a', '1')
      const [first] = await use.take(id, 1)
      const start = performance.now()
      await use.bus.nack(id, [first?.ack ?? ''])
      await use.take(id, 1)
      expect(performance.now() - start).toBeGreaterThanOrEqual(95)
    })
  })

  describe('what a consumer could not take at the moment', () => {
    it('comes again later, however often, and does not count as delivered in vain', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), maxDeliver: 1 })
      await use.publish('a', '1')
      for (let n = 0; n < 8; n++) {
        const got = await use.take(id, 1)
        const tokens = got.map(({ ack }) => ack)
        use.stand()
        expect(await use.bus.nack(id, tokens, { later: true, reason: 'the store is full' })).toBe(1)
        expect(await use.pull(id)).toEqual([])
        use.goOn()
      }
      const got = await use.take(id, 1)
      expect(await use.bus.nack(id, [got[0]?.ack ?? ''], { reason: 'no stock' })).toBe(1)
      expect(await use.bus.deadLetters({ limit: 1, subscription: id })).toMatchObject([{ reason: 'no stock' }])
    })

    it('is given up after the time that its subscription sets', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), giveUpAfterMs: 1_000 })
      await use.publish('a', '1')
      const later = async (delayMs: number) => {
        await use.bus.nack(id, [(await use.take(id, 1))[0]?.ack ?? ''], { later: true, delayMs, reason: 'full' })
        use.pass(delayMs)
      }
      await later(999)
      await later(200)
      await later(0)
      expect(await use.bus.deadLetters({ limit: 1, subscription: id })).toMatchObject([{ id: '1', reason: 'full' }])
    })
  })

  describe('what nobody looked at', () => {
    it('comes again however often, and does not count as delivered in vain', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), maxDeliver: 2 })
      await use.publish('a', '1')
      for (let n = 0; n < 3; n++) {
        const got = await use.take(id, 1)
        const tokens = got.map(({ ack }) => ack)
        expect(await use.bus.nack(id, tokens, { delayMs: 0, unseen: true })).toBe(1)
        expect(await use.bus.ack(id, tokens)).toBe(0)
        await use.restart()
      }
      expect(await use.take(id, 1)).toMatchObject([{ id: '1' }])
      expect(await use.bus.countDeadLetters(10)).toBe(0)
    })
  })

  describe('a message that always fails', () => {
    it('becomes a dead letter with the last reason, and holds up nobody', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), maxDeliver: 3 })
      const [poison] = await use.publish('a', 'poison', 'good')
      const seen: string[] = []
      for (let left = 4; left > 0; left--) {
        const [got] = await use.take(id, 1)
        seen.push(`${got?.id} ${got?.delivery}`)
        if (got?.id === 'good') await use.ackAll(id, [got])
        else await use.bus.nack(id, [got?.ack ?? ''], { delayMs: 0, reason: `no stock ${got?.delivery}` })
      }
      expect(seen.toSorted()).toEqual(['good 1', 'poison 1', 'poison 2', 'poison 3'])
      expect(await use.pull(id)).toEqual([])
      expect(await use.bus.deadLetters({ subscription: id, limit: 10 })).toMatchObject([
        {
          id: 'poison',
          topic: use.topic('a'),
          offset: poison?.offset,
          payload: '{"n":"poison"}',
          subscription: id,
          deliveries: 3,
          reason: 'no stock 3',
        },
      ])
      expect(await use.bus.subscription(id)).toMatchObject({ pending: 0, leased: 0 })
    })

    it('dies of expired leases too; that the broker went down with it for once does not count', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), maxDeliver: 3, ackWaitMs: 50 })
      use.stand()
      await use.publish('a', 'poison')
      for (const delivery of [1, 2, 3, 4]) {
        expect(await use.take(id, 1)).toMatchObject([{ id: 'poison', delivery }])
        if (delivery === 2) await use.restart()
        else use.pass(60)
      }
      await expect
        .poll(() => use.bus.deadLetters({ subscription: id, limit: 10 }))
        .toMatchObject([{ id: 'poison', deliveries: 4, reason: 'lease expired' }])
      expect(await use.pull(id)).toEqual([])
    })

    it('is thrown away for good: those named, or all of a subscription', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), maxDeliver: 1 })
      const other = await use.bus.subscribe({ topic: use.topic('a'), maxDeliver: 1 })
      await use.publish('a', '1', '2', '3')
      for (const one of [id, other.id]) {
        const dead = (await use.take(one, 3)).map(({ ack }) => ack)
        await use.bus.nack(one, dead)
      }
      expect(await use.bus.discard({ subscription: id, ids: ['2', 'unknown'] })).toBe(1)
      expect(ids(await use.bus.deadLetters({ subscription: id, limit: 10 }))).toEqual(['1', '3'])
      expect(await use.bus.discard({ subscription: id })).toBe(2)
      expect(await use.bus.discard({ subscription: id })).toBe(0)
      await use.restart()
      expect(ids(await use.bus.deadLetters({ subscription: id, limit: 10 }))).toEqual([])
      expect(ids(await use.bus.deadLetters({ subscription: other.id, limit: 10 }))).toEqual(['1', '2', '3'])
      expect(await use.bus.redrive({ subscription: id })).toBe(0)
    })

    it('is found by its name among all, however large they are together', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), maxDeliver: 1 })
      const all = Array.from({ length: 18 }, (_, i) => ({
        ...use.message('a', `m${i}`),
        payload: `"${'x'.repeat(6e5)}"`,
      }))
      await use.bus.publish(all)
      const dead: string[] = []
      while (dead.length < all.length) {
        const part = await use.take(id, 1)
        await use.bus.nack(
          id,
          part.map(({ ack }) => ack),
        )
        dead.push(...ids(part))
      }
      expect(await use.bus.discard({ subscription: id, ids: ['m17'] })).toBe(1)
      expect(await use.bus.redrive({ subscription: id, ids: ['m16', 'm17'] })).toBe(1)
    })

    it('comes back with a fresh count when it is redriven', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), maxDeliver: 1 })
      await use.publish('a', '1', '2', '3')
      const dead = await use.take(id, 3)
      await use.bus.nack(
        id,
        dead.map((d) => d.ack),
        { reason: 'broken' },
      )
      const page = await use.bus.deadLetters({ subscription: id, limit: 2 })
      expect(ids(page)).toEqual(['1', '2'])
      const rest = await use.bus.deadLetters({ subscription: id, limit: 2, after: page[1]?.cursor ?? '' })
      expect(ids(rest)).toEqual(['3'])

      expect(await use.bus.redrive({ subscription: id, ids: ['2', 'unknown'] })).toBe(1)
      const again = await use.take(id, 1)
      expect(again).toMatchObject([{ id: '2', delivery: 1 }])
      expect(await use.ackAll(id, dead)).toBe(0)
      expect(await use.ackAll(id, again)).toBe(1)
      expect(await use.bus.redrive({ subscription: id })).toBe(2)
      expect(await use.bus.deadLetters({ subscription: id, limit: 10 })).toEqual([])
      await use.restart()
      expect(ids(await use.take(id, 2)).toSorted()).toEqual(['1', '3'])
    })

    it('comes to a pull that waits when it is redriven', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a'), maxDeliver: 1 })
      let n = 0
      const least = await leastTime(AT_ONCE, async () => {
        await use.publish('a', `${++n}`)
        await use.bus.nack(id, [(await use.take(id, 1))[0]?.ack ?? ''])
        const waiting = use.pull(id, 1, 15_000)
        // who waits has found nothing by now
        expect(await use.bus.subscription(id)).toMatchObject({ pending: 0 })
        const start = performance.now()
        expect(await use.bus.redrive({ subscription: id })).toBe(1)
        const got = await waiting
        const took = performance.now() - start
        expect(got).toMatchObject([{ id: `${n}`, delivery: 1 }])
        await use.ackAll(id, got)
        return took
      })
      expect(least).toBeLessThan(AT_ONCE)
    })
  })
}
