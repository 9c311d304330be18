import { describe, expect, it } from 'vitest'
import { MOST_ATOMIC } from '../../src/drivers/bus/publisher.ts'
import { delaySuite } from './bus-delay-suite.ts'
import { deliverySuite } from './bus-delivery-suite.ts'
import { type BusUnderTest, ids, never, useBus } from './bus-fixture.ts'
import { idlenessSuite } from './bus-idleness-suite.ts'
import { keySuite } from './bus-key-suite.ts'
import { readerSuite } from './bus-reader-suite.ts'
import { sharingSuite } from './bus-sharing-suite.ts'

/** What every bus driver must do: src/drivers/bus/contract.ts as tests. A driver that stores in the folder gets a fresh one for each test. */
export function busSuite(under: BusUnderTest): void {
  describe(`bus driver ${under.driver.scheme}`, () => {
    const use = useBus(under)

    describe('publish', () => {
      it('gives receipts in the order asked, with offsets that grow in each topic', async () => {
        const receipts = await use.bus.publish([use.message('a', '1'), use.message('b', '2'), use.message('a', '3')])
        const offset = expect.any(Number)
        expect(receipts).toEqual([
          { id: '1', topic: use.topic('a'), offset, duplicate: false },
          { id: '2', topic: use.topic('b'), offset, duplicate: false },
          { id: '3', topic: use.topic('a'), offset, duplicate: false },
        ])
        const [first, , third] = receipts
        expect(first?.offset).toBeGreaterThanOrEqual(1)
        expect(third?.offset).toBeGreaterThan(first?.offset ?? 0)
        expect(await use.bus.publish([])).toEqual([])
      })

      it('makes no second copy of an id, within a call, in a later one and after a restart', async () => {
        const once = await use.bus.publish([
          use.message('a', 'x'),
          use.message('a', 'x'),
          use.message('b', 'x'),
          use.message('a', 'y'),
        ])
        expect(once.map((r) => r.duplicate)).toEqual([false, true, false, false])
        const [x, again, , y] = once
        expect(again?.offset).toBe(x?.offset)
        expect(await use.publish('a', 'x')).toMatchObject([{ offset: x?.offset, duplicate: true }])
        await use.restart()
        expect(await use.publish('a', 'x', 'y', 'z')).toMatchObject([
          { offset: x?.offset, duplicate: true },
          { offset: y?.offset, duplicate: true },
          { duplicate: false },
        ])
        expect(ids(await use.readAll(use.topic('a')))).toEqual(['x', 'y', 'z'])
      })

      it('tells of a duplicate that says something else, and keeps the first', async () => {
        const message = (payload: string) => ({ id: 'x', topic: use.topic('a'), payload, attributes: {} })
        await use.bus.publish([message('1')])
        expect(await use.bus.publish([message('2'), message('1')])).toMatchObject([
          { duplicate: true, differs: true },
          { duplicate: true },
        ])
        expect(await use.readAll(use.topic('a'))).toMatchObject([{ payload: '1' }])
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
        if (under.isAtomic) expect(ids(await use.readAll(use.topic('a')))).toEqual(['1'])
        const receipts = await bus.publish([message('1', '1'), ...many.slice(0, 499)], undefined, { atomic: true })
        expect(receipts.at(-1)?.duplicate).toBe(false)
        expect(await use.bus.topics()).toContainEqual(
          expect.objectContaining({ topic: use.topic('a'), messages: under.isAtomic ? 500 : 501 }),
        )
      })

      it('makes one copy of what is published twice at the same time', async () => {
        const receipts = await Promise.all(Array.from({ length: 20 }, () => use.publish('a', 'same')))
        expect(receipts.flat().filter((receipt) => !receipt.duplicate)).toHaveLength(1)
        expect(new Set(receipts.flat().map((receipt) => receipt.offset)).size).toBe(1)
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
        const [, , third] = await use.publish('a', '1', '2', '3')
        const after = await use.bus.place(use.topic('a'), third?.offset ?? 0)
        const onNew = await use.bus.subscribe({ topic: use.topic('a'), group: 'new' })
        const onFirst = await use.bus.subscribe({ topic: use.topic('a'), group: 'first', from: 'first' })
        const onThird = await use.bus.subscribe({ topic: use.topic('a'), group: 'third', from: { after } })
        await use.publish('a', '4', '5')
        expect(ids(await use.take(onNew.id, 2))).toEqual(['4', '5'])
        expect(ids(await use.take(onFirst.id, 5))).toEqual(['1', '2', '3', '4', '5'])
        expect(ids(await use.take(onThird.id, 3))).toEqual(['3', '4', '5'])
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
        expect(await published).toMatchObject([{ duplicate: false }])
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
        expect(ids(await use.readAll(use.topic('b')))).toEqual(['1'])
        await use.bus.check(never)
      })
    })

    idlenessSuite(use)
    readerSuite(use)
    deliverySuite(use)
    keySuite(use)
    delaySuite(use)
    sharingSuite(use)
  })
}
