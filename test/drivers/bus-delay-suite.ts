import { describe, expect, it } from 'vitest'
import type { DelayedQuery } from '../../src/drivers/bus/administration.ts'
import { MOST_DELAY_MS, type Publication } from '../../src/drivers/bus/publisher.ts'
import { leastTime } from '../least-time.ts'
import { type BusFixture, ids } from './bus-fixture.ts'

/** How late a message may take its place, in milliseconds. */
const LATE = 1_000

/** How messages wait for their time, as every bus driver must do it. Part of `busSuite`. */
export function delaySuite(use: BusFixture): void {
  const later = (name: string, id: string, delayMs: number, key?: string): Publication => {
    const message = use.message(name, id)
    const attributes = key === undefined ? message.attributes : { ...message.attributes, partitionkey: key }
    return { ...message, attributes, delayMs }
  }

  describe('a message with a delay', () => {
    it('is seen by nobody before its time, then takes its place like any other', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      use.stand()
      const [delayed, other] = await use.bus.publish([later('a', 'later', 600), use.message('a', 'now')])
      expect(delayed).toEqual({ id: 'later', topic: use.topic('a'), duplicate: false, deliverAt: expect.any(Number) })
      expect(Math.abs((delayed?.deliverAt ?? 0) - use.now() - 600)).toBeLessThan(500)
      expect(ids(await use.take(id, 1))).toEqual(['now'])
      expect(await use.pull(id)).toEqual([])
      expect(ids(await use.readAll(use.topic('*')))).toEqual(['now'])
      expect(await use.bus.subscription(id)).toMatchObject({ pending: 1 })
      const fresh = await use.bus.subscribe({ topic: use.topic('*') })
      const heard = new Promise<void>((resolve) => use.bus.watch(use.topic('a'), resolve))

      const start = performance.now()
      use.goOn()
      const [got] = await use.take(id, 1)
      expect(got).toMatchObject({ id: 'later', payload: '{"n":"later"}', delivery: 1 })
      expect(got?.offset).toBeGreaterThan(other?.offset ?? 0)
      expect(performance.now() - start).toBeGreaterThanOrEqual(595)
      await heard
      expect(ids(await use.take(fresh.id, 1))).toEqual(['later'])
      expect(ids(await use.readAll(use.topic('a')))).toEqual(['now', 'later'])
    })

    it('takes its place as soon as its time has come', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      let n = 0
      const least = await leastTime(600 + LATE, async () => {
        const start = performance.now()
        await use.bus.publish([later('a', `${++n}`, 600)])
        expect(ids(await use.take(id, 1))).toEqual([`${n}`])
        return performance.now() - start
      })
      expect(least).toBeLessThan(600 + LATE)
    })

    it('keeps its time over a restart, and comes once', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      const start = performance.now()
      await use.bus.publish([later('a', '1', 100), later('a', '2', 800)])
      await use.restart()
      expect(ids(await use.take(id, 1))).toEqual(['1'])
      await use.restart()
      expect(await use.take(id, 2)).toMatchObject([{ id: '1' }, { id: '2' }])
      expect(performance.now() - start).toBeGreaterThanOrEqual(795)
      expect(ids(await use.readAll(use.topic('a')))).toEqual(['1', '2'])
    })

    it('has its id from the beginning', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      use.stand()
      const [first] = await use.bus.publish([later('a', 'x', 500)])
      const { deliverAt } = first ?? {}
      const other = { ...use.message('a', 'x'), payload: '"other"' }
      expect(await use.bus.publish([later('a', 'x', 5_000), use.message('a', 'x'), other])).toMatchObject([
        { duplicate: true, deliverAt },
        { duplicate: true, deliverAt },
        { duplicate: true, differs: true },
      ])
      await use.restart()
      expect(await use.bus.publish([use.message('a', 'x')])).toMatchObject([{ duplicate: true, deliverAt }])
      use.pass(600)
      const [got] = await use.take(id, 1)
      expect(await use.bus.publish([later('a', 'x', 500)])).toMatchObject([{ duplicate: true, offset: got?.offset }])
      expect(ids(await use.readAll(use.topic('a')))).toEqual(['x'])
    })

    it('comes in the order of the times, not of the calls, those of one key too', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      await use.bus.publish([
        later('a', 'third', 700, 'k'),
        later('a', 'second', 300, 'k'),
        later('a', 'first', 0, 'k'),
        later('a', 'fourth', 700, 'k'),
      ])
      const seen: string[] = []
      while (seen.length < 4) {
        const got = await use.take(id, 1)
        seen.push(...ids(got))
        await use.ackAll(id, got)
      }
      expect(seen).toEqual(['first', 'second', 'third', 'fourth'])
    })

    it('waits behind an earlier one of its key that is not settled', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      await use.bus.publish([later('a', '1', 0, 'k'), later('a', '2', 100, 'k')])
      const first = await use.take(id, 1)
      expect(await use.pull(id, 1, 500)).toEqual([])
      await use.ackAll(id, first)
      expect(ids(await use.take(id, 1))).toEqual(['2'])
    })

    it('waits no longer than 30 days, and no negative time', async () => {
      for (const delayMs of [-1, Number.NaN, MOST_DELAY_MS + 1]) {
        const refused = use.bus.publish([use.message('a', '1'), later('a', '2', delayMs)])
        await expect(refused).rejects.toMatchObject({ kind: 'invalid' })
      }
      expect(await use.bus.publish([later('a', '1', MOST_DELAY_MS)])).toMatchObject([{ duplicate: false }])
      expect(await use.readAll(use.topic('a'))).toEqual([])
    })

    it('is part of what is published as one', async () => {
      await use.bus.publish([later('a', 'x', 5_000)])
      const clashing = use.bus.publish([{ ...use.message('a', 'x'), payload: '1' }], undefined, { atomic: true })
      await expect(clashing).rejects.toMatchObject({ kind: 'conflict' })
      const both = [later('a', 'x', 5_000), later('a', 'y', 5_000)]
      expect(await use.bus.publish(both, undefined, { atomic: true })).toMatchObject([
        { duplicate: true },
        { duplicate: false },
      ])
    })
  })

  describe('messages that wait for their time', () => {
    it('are no more than may be: what is one more is refused, all of its call with it', async () => {
      await use.restart({ maxDelayed: 3 })
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      use.stand()
      await use.bus.publish([later('a', '1', 800), later('a', '2', 60_000), use.message('a', 'now')])
      const refused = { kind: 'too-many', message: expect.stringContaining('3 messages wait'), retryAfterS: 1 }
      const both = [later('b', '3', 60_000), later('b', '4', 60_000)]
      await expect(use.bus.publish(both)).rejects.toMatchObject(refused)
      await expect(use.bus.publish(both, undefined, { atomic: true })).rejects.toMatchObject(refused)
      expect(await use.bus.publish([later('b', '3', 60_000)])).toMatchObject([{ duplicate: false }])
      for (const message of [later('b', '4', 1), later('a', '3', 60_000)]) {
        await expect(use.bus.publish([message])).rejects.toMatchObject(refused)
      }
      // what is there is told to be, and what doesn't wait has its place
      expect(await use.bus.publish([later('b', '3', 1), use.message('b', 'now')])).toMatchObject([
        { duplicate: true, deliverAt: expect.any(Number) },
        { duplicate: false, offset: expect.any(Number) },
      ])
      use.pass(900)
      expect(ids(await use.take(id, 2))).toEqual(['now', '1'])
      expect(await use.bus.publish([later('b', '4', 60_000)])).toMatchObject([{ duplicate: false }])
    })

    it('may be fewer after a restart than there are, which all wait on', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      use.stand()
      await use.bus.publish([later('a', '1', 400), later('a', '2', 400), later('a', '3', 60_000)])
      await use.restart({ maxDelayed: 1 })
      await use.publish('a', 'now')
      await expect(use.bus.publish([later('a', '4', 1)])).rejects.toMatchObject({ kind: 'too-many' })
      use.pass(500)
      expect(ids(await use.take(id, 3))).toEqual(['now', '1', '2'])
      await expect(use.bus.publish([later('a', '4', 1)])).rejects.toMatchObject({ kind: 'too-many', retryAfterS: 60 })
    })
  })

  describe('the list of messages that wait for their time', () => {
    const listed = async (query: Partial<DelayedQuery> = {}) => ids(await use.bus.delayed({ limit: 100, ...query }))

    it('has the next one first, with all that it says, page by page, of a topic or of all', async () => {
      const { deliverAt } = (await use.bus.publish([later('a', '3', 60_000, 'k')]))[0] ?? {}
      await use.bus.publish([later('b', '1', 20_000), later('a', '2', 40_000), use.message('a', 'now')])
      const all = await use.bus.delayed({ limit: 100 })
      expect(ids(all)).toEqual(['1', '2', '3'])
      expect(await use.bus.countDelayed()).toBe(3)
      const { attributes } = later('a', '3', 0, 'k')
      expect(all[2]).toEqual({
        ...{ id: '3', topic: use.topic('a'), payload: '{"n":"3"}', attributes, deliverAt },
        cursor: expect.any(String),
      })
      const [first] = await use.bus.delayed({ limit: 1 })
      expect(await listed({ limit: 1, after: first?.cursor ?? '' })).toEqual(['2'])
      expect(await listed({ after: all[2]?.cursor ?? '' })).toEqual([])
      expect(await listed({ topic: use.topic('a') })).toEqual(['2', '3'])
      expect(await listed({ topic: use.topic('a'), limit: 1, after: first?.cursor ?? '' })).toEqual(['2'])
      expect(await listed({ topic: use.topic('none') })).toEqual([])
      await expect(use.bus.delayed({ limit: 1, after: 'x' })).rejects.toMatchObject({ kind: 'invalid' })
      await use.restart()
      expect(await listed({ after: first?.cursor ?? '' })).toEqual(['2', '3'])
    })

    it('finds those of an id, also where more stands behind it', async () => {
      await use.bus.publish([later('a', 'x', 90_000), later('b', 'x /source', 80_000), later('a', 'xx', 70_000)])
      expect(await listed({ id: 'x' })).toEqual(['x /source', 'x'])
      expect(await listed({ id: 'x', topic: use.topic('a') })).toEqual(['x'])
      expect(await listed({ id: 'y' })).toEqual([])
    })

    it('is no longer than what one answer may hold, and misses none', async () => {
      const large = Array.from({ length: 7 }, (_, n) => {
        return { ...later('a', `${n}`, 60_000), payload: `"${'x'.repeat(700_000)}"` }
      })
      for (const message of large) await use.bus.publish([message])
      const seen: string[] = []
      for (let after = ''; ; ) {
        const part = await use.bus.delayed({ limit: 100, ...(after && { after }) })
        if (part.length === 0) break
        expect(part.length).toBeLessThan(7)
        seen.push(...ids(part))
        after = part.at(-1)?.cursor ?? ''
      }
      expect(seen).toEqual(ids(large))
    })

    it('finds one of a topic among thousands of another', async () => {
      const many = Array.from({ length: 2_500 }, (_, n) => later('a', `${n}`, 300_000))
      await use.bus.publish([...many, later('b', 'other', 600_000)])
      expect(await listed({ topic: use.topic('b') })).toEqual(['other'])
      expect(await listed({ id: '2499' })).toEqual(['2499'])
      expect(await listed({ limit: 3 })).toEqual(['0', '1', '2'])
    })
  })

  describe('a message that is cancelled', () => {
    it('never comes, leaves room, and its id is free', async () => {
      await use.restart({ maxDelayed: 2 })
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      use.stand()
      await use.bus.publish([later('a', 'x', 2_000), later('a', 'y', 2_500)])
      const x = { topic: use.topic('a'), id: 'x' }
      expect(await use.bus.cancelDelayed({ ...x, topic: use.topic('b') })).toBe(false)
      expect(await use.bus.cancelDelayed(x)).toBe(true)
      expect(await use.bus.cancelDelayed(x)).toBe(false)
      expect(ids(await use.bus.delayed({ limit: 9 }))).toEqual(['y'])
      expect(await use.bus.countDelayed()).toBe(1)
      for (const payload of ['"once more"', '"and again"']) {
        const again = { ...later('a', 'x', 3_000), payload }
        expect(await use.bus.publish([again])).toMatchObject([{ duplicate: false, deliverAt: expect.any(Number) }])
        expect(await use.bus.publish([again])).toMatchObject([{ duplicate: true, deliverAt: expect.any(Number) }])
        expect(await use.bus.cancelDelayed(x)).toBe(true)
      }
      await use.restart()
      expect(ids(await use.bus.delayed({ limit: 9 }))).toEqual(['y'])
      const [receipt] = await use.publish('a', 'x')
      expect(receipt).toMatchObject({ duplicate: false, offset: expect.any(Number) })
      expect(await use.publish('a', 'x')).toMatchObject([{ duplicate: true, offset: receipt?.offset }])
      use.pass(2_600)
      expect(await use.take(id, 2)).toMatchObject([{ id: 'x', payload: '{"n":"x"}' }, { id: 'y' }])
      expect(await use.bus.cancelDelayed({ ...x, id: 'y' })).toBe(false)
    })

    it('is told to have its place when it is published once more after it came, under the id of one that was cancelled', async () => {
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      await use.bus.publish([later('a', 'x', 60_000)])
      await use.bus.cancelDelayed({ topic: use.topic('a'), id: 'x' })
      await use.bus.publish([later('a', 'x', 100)])
      const [got] = await use.take(id, 1)
      const copy = [{ duplicate: true, offset: got?.offset }]
      expect(await use.bus.publish([later('a', 'x', 100)])).toMatchObject(copy)
      await use.restart()
      expect(await use.bus.publish([use.message('a', 'x')])).toMatchObject(copy)
      expect(ids(await use.readAll(use.topic('a')))).toEqual(['x'])
    })
  })

  describe('a message with a delay of days', () => {
    it('comes when they are over, whatever the wall clock says meanwhile', async () => {
      const day = 86_400_000
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      await use.bus.publish([later('a', '1', 10 * day)])
      for (const jump of [20 * day, -20 * day]) {
        use.jumpWallClock(jump)
        expect(await use.pull(id, 1, 20)).toEqual([])
      }
      use.jumpWallClock(0)
      use.pass(10 * day - 60_000)
      expect(await use.pull(id, 1, 20)).toEqual([])
      await use.restart()
      expect(await use.pull(id, 1, 20)).toEqual([])
      use.pass(60_000)
      expect(ids(await use.take(id, 1))).toEqual(['1'])
    })

    it('waits no longer than it was to wait where the clock was set back while the bus was closed', async () => {
      const day = 86_400_000
      const { id } = await use.bus.subscribe({ topic: use.topic('a') })
      await use.bus.publish([later('a', '1', day)])
      use.jumpWallClock(-300 * day)
      await use.restart()
      use.pass(day - 60_000)
      expect(await use.pull(id, 1, 20)).toEqual([])
      use.pass(60_000)
      expect(ids(await use.take(id, 1))).toEqual(['1'])
    })
  })
}
