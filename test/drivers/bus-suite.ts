import { describe, expect, it } from 'vitest'
import { type BusDriver, MOST_ATOMIC } from '../../src/drivers/bus/contract.ts'
import { deliverySuite } from './bus-delivery-suite.ts'
import { ids, never, useBus } from './bus-fixture.ts'

/**
 * What every bus driver must do: src/drivers/bus/contract.ts as tests.
 * @param url what the driver opens. A driver that stores in the folder gets a fresh one for each test.
 */
export function busSuite(driver: BusDriver, url: string): void {
  describe(`bus driver ${driver.scheme}`, () => {
    const use = useBus(driver, url)

    describe('publish', () => {
      it('numbers each topic from 1 and gives receipts in the order asked', async () => {
        const receipts = await use.bus.publish([use.message('a', '1'), use.message('b', '2'), use.message('a', '3')])
        expect(receipts).toEqual([
          { id: '1', topic: use.topic('a'), offset: 1, duplicate: false },
          { id: '2', topic: use.topic('b'), offset: 1, duplicate: false },
          { id: '3', topic: use.topic('a'), offset: 2, duplicate: false },
        ])
        expect(await use.bus.publish([])).toEqual([])
      })

      it('makes no second copy of an id, within a call, in a later one and after a restart, nor uses up an offset', async () => {
        const once = await use.bus.publish([
          use.message('a', 'x'),
          use.message('a', 'x'),
          use.message('b', 'x'),
          use.message('a', 'y'),
        ])
        expect(once.map((r) => [r.offset, r.duplicate])).toEqual([
          [1, false],
          [1, true],
          [1, false],
          [2, false],
        ])
        expect(await use.publish('a', 'x')).toMatchObject([{ offset: 1, duplicate: true }])
        await use.restart()
        expect(await use.publish('a', 'x', 'y', 'z')).toMatchObject([
          { offset: 1, duplicate: true },
          { offset: 2, duplicate: true },
          { offset: 3, duplicate: false },
        ])
        expect(ids(await use.bus.read(use.topic('a'), { after: 0, limit: 10 }))).toEqual(['x', 'y', 'z'])
      })

      it('stores all of what is published as one, or nothing of it', async () => {
        const { bus } = use
        const message = (id: string, payload: string) => ({ id, topic: use.topic('a'), payload, attributes: {} })
        await bus.publish([message('1', '1')])
        const clashing = [
          [message('2', '2'), message('1', '"other"')],
          [message('2', '2'), message('2', '"other"')],
        ]
        for (const batch of clashing)
          await expect(bus.publish(batch, undefined, { atomic: true })).rejects.toMatchObject({ kind: 'conflict' })
        const many = Array.from({ length: MOST_ATOMIC + 1 }, (_, n) => message(`m${n}`, '0'))
        await expect(bus.publish(many, undefined, { atomic: true })).rejects.toMatchObject({ kind: 'invalid' })
        const receipts = await bus.publish([message('1', '1'), ...many.slice(0, 499)], undefined, { atomic: true })
        expect(receipts.at(-1)?.offset).toBe(500)
      })

      it('makes one copy of what is published twice at the same time', async () => {
        const receipts = await Promise.all(Array.from({ length: 20 }, () => use.publish('a', 'same')))
        expect(receipts.flat().filter((receipt) => !receipt.duplicate)).toHaveLength(1)
        expect(new Set(receipts.flat().map((receipt) => receipt.offset))).toEqual(new Set([1]))
      })

      it('gives payload and attributes back to the letter', async () => {
        const payload = '{ "text": "é\\u0000 🙂 \\" \'",\n "n": 1e400, "nothing": null }'
        const attributes = { source: '/ünï', subject: "it's", traceparent: '00-ab-cd-01', empty: '' }
        const { id } = await use.bus.subscribe({ topic: use.topic('a') })
        await use.bus.publish([{ id: "o'id", topic: use.topic('a'), payload, attributes }])
        const [delivery] = await use.take(id, 1)
        expect(delivery).toMatchObject({
          id: "o'id",
          topic: use.topic('a'),
          payload,
          attributes,
          offset: 1,
          delivery: 1,
        })
        expect(Math.abs((delivery?.timestamp ?? 0) - Date.now())).toBeLessThan(60_000)
      })
    })

    describe('subscribe', () => {
      it('knows a subscription by topic and group, and brings its terms up to date', async () => {
        const first = await use.bus.subscribe({ topic: use.topic('a'), group: 'g', maxDeliver: 2, ackWaitMs: 1000 })
        expect(first).toMatchObject({
          topic: use.topic('a'),
          group: 'g',
          maxDeliver: 2,
          ackWaitMs: 1000,
          pending: 0,
          leased: 0,
        })
        const again = await use.bus.subscribe({
          topic: use.topic('a'),
          group: 'g',
          push: { url: 'http://127.0.0.1:1/x' },
        })
        expect(again).toMatchObject({
          id: first.id,
          maxDeliver: 5,
          ackWaitMs: 30_000,
          push: { url: 'http://127.0.0.1:1/x' },
        })
        await use.restart()
        expect(await use.bus.subscription(first.id)).toEqual(again)
        expect((await use.bus.subscribe({ topic: use.topic('a'), group: 'other' })).id).not.toBe(first.id)
        expect((await use.bus.subscribe({ topic: use.topic('b'), group: 'g' })).id).not.toBe(first.id)
      })

      it('makes each subscription without a group one of its own', async () => {
        const [one, two] = [
          await use.bus.subscribe({ topic: use.topic('a') }),
          await use.bus.subscribe({ topic: use.topic('a') }),
        ]
        expect(one?.id).not.toBe(two?.id)
        await use.publish('a', '1')
        expect(ids(await use.take(one?.id ?? '', 1))).toEqual(['1'])
        expect(ids(await use.take(two?.id ?? '', 1))).toEqual(['1'])
        expect(ids(await use.bus.subscriptions())).toEqual(expect.arrayContaining([one?.id, two?.id]))
      })

      it('begins where it is told to', async () => {
        await use.publish('a', '1', '2', '3')
        const onNew = await use.bus.subscribe({ topic: use.topic('a'), group: 'new' })
        const onFirst = await use.bus.subscribe({ topic: use.topic('a'), group: 'first', from: 'first' })
        const onThird = await use.bus.subscribe({ topic: use.topic('a'), group: 'third', from: 3 })
        const onFifth = await use.bus.subscribe({ topic: use.topic('a'), group: 'fifth', from: 5 })
        await use.publish('a', '4', '5')
        expect(ids(await use.take(onNew.id, 2))).toEqual(['4', '5'])
        expect(ids(await use.take(onFirst.id, 5))).toEqual(['1', '2', '3', '4', '5'])
        expect(ids(await use.take(onThird.id, 3))).toEqual(['3', '4', '5'])
        expect(ids(await use.take(onFifth.id, 1))).toEqual(['5'])
        expect(await use.pull(onNew.id)).toEqual([])
      })

      it('hears topics that fit its pattern, also those made later', async () => {
        await use.publish('order.created', 'before')
        const word = await use.bus.subscribe({ topic: use.topic('order.*') })
        const rest = await use.bus.subscribe({ topic: use.topic('order.>') })
        await use.publish('order.created', '1')
        await use.publish('order.paid', '2')
        await use.publish('order.item.added', '3')
        await use.publish('payment.done', '4')
        expect(ids(await use.take(word.id, 2)).toSorted()).toEqual(['1', '2'])
        expect(ids(await use.take(rest.id, 3)).toSorted()).toEqual(['1', '2', '3'])
        expect(await use.pull(rest.id)).toEqual([])
      })

      it('refuses what makes no sense', async () => {
        for (const spec of [{ topic: 'a..b' }, { topic: 'a', maxDeliver: 0 }, { topic: 'a', ackWaitMs: -1 }]) {
          await expect(use.bus.subscribe(spec)).rejects.toMatchObject({ kind: 'invalid' })
        }
      })

      it('counts what is pending and what is on lease', async () => {
        const { id } = await use.bus.subscribe({ topic: use.topic('*') })
        await use.publish('a', '1', '2', '3')
        await use.publish('b', '4')
        const got = await use.take(id, 3)
        expect(await use.bus.subscription(id)).toMatchObject({ pending: 4, leased: 3 })
        await use.ackAll(id, got.slice(0, 2))
        expect(await use.bus.subscription(id)).toMatchObject({ pending: 2, leased: 1 })
      })
    })

    describe('a subscription that nobody uses', () => {
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

    describe('an owner', () => {
      it('keeps a group to himself, and may take one that has none', async () => {
        const group = { topic: use.topic('a'), group: 'g' }
        const open = await use.bus.subscribe(group)
        expect(open).not.toHaveProperty('owner')
        const mine = await use.bus.subscribe({ ...group, owner: 'me' })
        expect(mine).toMatchObject({ id: open.id, owner: 'me' })
        await use.restart()
        await expect(use.bus.subscribe({ ...group, owner: 'you' })).rejects.toMatchObject({ kind: 'conflict' })
        expect(await use.bus.subscribe(group)).toMatchObject({ id: open.id, owner: 'me' })
        expect((await use.bus.subscribe({ ...group, group: 'h', owner: 'you' })).id).not.toBe(open.id)
      })
    })

    describe('unsubscribe', () => {
      it('ends it and its waiting pulls', async () => {
        const { id } = await use.bus.subscribe({ topic: use.topic('a'), group: 'g' })
        const waiting = use.pull(id, 1, 20_000)
        expect(await use.bus.unsubscribe(id)).toBe(true)
        expect(await waiting).toEqual([])
        expect(await use.bus.unsubscribe(id)).toBe(false)
        expect(await use.bus.subscription(id)).toBeUndefined()
        for (const call of [
          use.pull(id),
          use.bus.ack(id, []),
          use.bus.nack(id, []),
          use.bus.redrive({ subscription: id }),
        ]) {
          await expect(call).rejects.toMatchObject({ kind: 'not-found' })
        }
        await use.restart()
        expect(await use.bus.subscription(id)).toBeUndefined()
      })
    })

    describe('read and watch', () => {
      it('reads topics that fit in the order stored, page by page, without leasing', async () => {
        const { id } = await use.bus.subscribe({ topic: use.topic('a') })
        const start = await use.bus.end()
        for (const [name, n] of [
          ['a', '1'],
          ['b', '2'],
          ['a', '3'],
          ['c.d', '4'],
          ['b', '5'],
        ] as const)
          await use.publish(name, n)
        const page = await use.bus.read(use.topic('*'), { after: start, limit: 3 })
        expect(page.map((m) => [m.id, m.offset])).toEqual([
          ['1', 1],
          ['2', 1],
          ['3', 2],
        ])
        const rest = await use.bus.read(use.topic('*'), { after: page[2]?.position ?? 0, limit: 3 })
        expect(ids(rest)).toEqual(['5'])
        expect(rest[0]?.position).toBe(await use.bus.end())
        expect(ids(await use.bus.read(use.topic('>'), { after: 0, from: 2, limit: 9 }))).toEqual(['3', '5'])
        expect(await use.bus.read(use.topic('none'), { after: 0, limit: 9 })).toEqual([])
        expect(ids(await use.take(id, 2))).toEqual(['1', '3'])
      })

      it('gives places that a subscription can begin behind, also after a restart', async () => {
        for (const [name, n] of ['a', 'b', 'a', 'b', 'a'].map((name, at) => [name, `${at + 1}`] as const))
          await use.publish(name, n)
        const [, second] = await use.bus.read(use.topic('*'), { after: 0, limit: 2 })
        const from = { after: second?.position ?? 0 }
        const one = await use.bus.subscribe({ topic: use.topic('a'), group: 'g', from })
        const all = await use.bus.subscribe({ topic: use.topic('*'), group: 'g', from })
        expect([one.pending, all.pending]).toEqual([2, 3])
        await use.restart()
        expect(ids(await use.take(one.id, 2))).toEqual(['3', '5'])
        expect(ids(await use.take(all.id, 3))).toEqual(['3', '4', '5'])
        const beyond = { topic: use.topic('a'), from: { after: (await use.bus.end()) + 1 } }
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
        await use.publish('a', '1', '2')
        await use.publish('b', '3')
        const own = (await use.bus.topics()).filter((info) => info.topic.startsWith(use.topic('')))
        expect(own).toEqual([
          { topic: use.topic('a'), messages: 2, firstOffset: 1, lastOffset: 2 },
          { topic: use.topic('b'), messages: 1, firstOffset: 1, lastOffset: 1 },
        ])
      })
    })

    describe('check', () => {
      it('answers, unless there is no time left', async () => {
        await use.bus.check(never)
        await expect(use.bus.check(AbortSignal.abort())).rejects.toMatchObject({
          name: 'DriverError',
          kind: 'unavailable',
        })
      })
    })

    describe('close', () => {
      it('ends waiting pulls, keeps what was asked for before, and refuses what comes', async () => {
        const { id } = await use.bus.subscribe({ topic: use.topic('a') })
        const waiting = use.pull(id, 1, 20_000)
        const published = use.publish('b', '1')
        await use.bus.close()
        await use.bus.close()
        expect(await waiting).toEqual([])
        expect(await published).toMatchObject([{ offset: 1 }])
        for (const call of [
          use.publish('a', '2'),
          use.pull(id),
          use.bus.subscribe({ topic: 'a' }),
          use.bus.topics(),
          use.bus.check(never),
        ]) {
          await expect(call).rejects.toMatchObject({ kind: 'closed' })
        }
        await use.restart()
        expect(ids(await use.bus.read(use.topic('b'), { after: 0, limit: 9 }))).toEqual(['1'])
        await use.bus.check(never)
      })
    })

    deliverySuite(use)
  })
}
