import { randomUUID } from 'node:crypto'
import { afterAll, describe, expect, it } from 'vitest'
import type { BucketLimit, Cache, CacheDriver } from '../../src/drivers/cache/contract.ts'

/** Far enough away not to pass during a test, milliseconds. */
const LONG = 60_000
/** Longer than a test takes for its next step, on a busy machine too, milliseconds. */
const A_WHILE = 10_000
/** What is gone before a test looks, milliseconds. */
const BRIEF = 20
/** A bucket that nothing flows into while a test runs. */
const STILL: BucketLimit = { perSecond: 0.001, burst: 5 }

const INVALID = { name: 'DriverError', kind: 'invalid' }
const CLOSED = { name: 'DriverError', kind: 'closed' }
const ODD_KEYS = ['__proto__', 'constructor', '', 'a b\r\nc', '键', '{', '}a', 'a{b}c', 'x'.repeat(1_000)]

/** A cache of a kind, where a test finds its backend. */
export interface CacheUnderTest {
  readonly kind: string
  readonly driver: CacheDriver
  readonly url: () => string
}

/** What every cache driver must do, whatever lies behind it. Each test takes a prefix of its own there. */
export function cacheSuite({ kind, driver, url }: CacheUnderTest): void {
  describe(`a cache, ${kind}`, () => {
    const opened: Cache[] = []
    afterAll(async () => {
      await Promise.all(opened.map((cache) => cache.close()))
    })
    async function open(prefix = `suite-${randomUUID()}:`): Promise<Cache> {
      const cache = await driver.open({ url: url(), prefix })
      opened.push(cache)
      return cache
    }

    describe('take', () => {
      it('lets a burst through, and says what is left and when to come again', async () => {
        const cache = await open()
        const take = () => cache.take('a', STILL)
        for (const left of [4, 3, 2, 1, 0]) {
          const taken = await take()
          expect(taken).toMatchObject({ allowed: true, retryAfterMs: 0 })
          expect(taken.left).toBeCloseTo(left, 1)
        }
        const refused = await take()
        expect(refused.allowed).toBe(false)
        expect(refused.left).toBeCloseTo(0, 1)
        expect(refused.retryAfterMs).toBeGreaterThan(990_000)
        expect(refused.retryAfterMs).toBeLessThanOrEqual(1_000_000)
      })

      it('takes several tokens, or none of them', async () => {
        const cache = await open()
        expect((await cache.take('a', STILL, 4)).left).toBeCloseTo(1, 1)
        const refused = await cache.take('a', STILL, 2)
        expect(refused.allowed).toBe(false)
        expect(refused.left).toBeCloseTo(1, 1)
        expect((await cache.take('a', STILL, 0.5)).left).toBeCloseTo(0.5, 1)
      })

      it('refills as time goes by, up to the burst', async () => {
        const cache = await open()
        const limit = { perSecond: 0.5, burst: 2 }
        expect((await cache.take('a', limit, 2)).allowed).toBe(true)
        const { allowed, retryAfterMs } = await cache.take('a', limit, 2)
        expect(allowed).toBe(false)
        expect(retryAfterMs).toBeLessThanOrEqual(4_000)
        const again = async () => (await cache.take('a', limit, 2)).allowed
        await expect.poll(again, { interval: 20 }).toBe(true)
      })

      it('counts a crowd that comes at once exactly', async () => {
        const cache = await open()
        const taken = await Promise.all(
          Array.from({ length: 50 }, () => cache.take('a', { perSecond: 0.001, burst: 20 })),
        )
        expect(taken.filter(({ allowed }) => allowed)).toHaveLength(20)
      })

      it('is exact at a million a second', async () => {
        const cache = await open()
        const limit = { perSecond: 1_000_000, burst: 1_000_000 }
        const { left } = await cache.take('a', limit, 1_000_000)
        expect(left).toBe(0)
        await expect.poll(async () => (await cache.take('a', limit, 900_000)).allowed, { interval: 50 }).toBe(true)
      })

      it('keeps keys and prefixes apart', async () => {
        const [one, other] = [await open(), await open()]
        await one.take('a', STILL, 5)
        expect((await one.take('b', STILL, 5)).allowed).toBe(true)
        expect((await other.take('a', STILL, 5)).allowed).toBe(true)
      })

      it.each(ODD_KEYS)('takes the key %j', async (key) => {
        const cache = await open()
        expect((await cache.take(key, STILL, 5)).allowed).toBe(true)
        expect((await cache.take(key, STILL, 5)).allowed).toBe(false)
      })

      it('takes a limit that changed: what was saved up counts as far as it fits', async () => {
        const cache = await open()
        await cache.take('a', { perSecond: 0.001, burst: 100 })
        expect((await cache.take('a', STILL, 5)).left).toBeCloseTo(0, 1)
        expect((await cache.take('a', { perSecond: 0.001, burst: 100 })).allowed).toBe(false)
      })

      it.each([
        [{ perSecond: 0, burst: 1 }, 1],
        [{ perSecond: -1, burst: 1 }, 1],
        [{ perSecond: Number.NaN, burst: 1 }, 1],
        [{ perSecond: 1, burst: 0 }, 1],
        [{ perSecond: 1, burst: Number.POSITIVE_INFINITY }, 1],
        [{ perSecond: 1, burst: 5 }, 0],
        [{ perSecond: 1, burst: 5 }, -1],
        [{ perSecond: 1, burst: 5 }, 6],
        [{ perSecond: 1, burst: 5 }, Number.NaN],
      ])('refuses %j at a cost of %d', async (limit, cost) => {
        const cache = await open()
        await expect(cache.take('a', limit, cost)).rejects.toMatchObject(INVALID)
      })
    })

    describe('leases', () => {
      it('are held by one at a time', async () => {
        const cache = await open()
        const lease = await cache.acquire('a', 'one', LONG)
        expect(lease).toMatchObject({ name: 'a', holder: 'one' })
        expect(await cache.acquire('a', 'two', LONG)).toBeUndefined()
        expect(await cache.acquire('b', 'two', LONG)).toMatchObject({ holder: 'two' })
      })

      it('are taken by one of a crowd', async () => {
        const cache = await open()
        const asked = Array.from({ length: 20 }, (_, at) => cache.acquire('a', `holder-${at}`, LONG))
        expect((await Promise.all(asked)).filter(Boolean)).toHaveLength(1)
      })

      it('are the same for a holder that asks again, as an answer may have been lost', async () => {
        const cache = await open()
        const lease = await cache.acquire('a', 'one', A_WHILE)
        expect(await cache.acquire('a', 'one', LONG)).toEqual(lease)
        expect(await cache.acquire('a', 'two', LONG)).toBeUndefined()
      })

      it('pass on when their time is over, with a greater fence', async () => {
        const cache = await open()
        const first = await cache.acquire('a', 'one', BRIEF)
        const second = await firstGiven(() => cache.acquire('a', 'two', BRIEF))
        const third = await firstGiven(() => cache.acquire('a', 'one', LONG))
        expect(second.fence).toBeGreaterThan(first?.fence ?? Number.POSITIVE_INFINITY)
        expect(third.fence).toBeGreaterThan(second.fence)
        expect(Number.isSafeInteger(third.fence)).toBe(true)
      })

      it('are renewed by their holder while they last, and not afterwards', async () => {
        const cache = await open()
        const lease = await firstGiven(() => cache.acquire('a', 'one', A_WHILE))
        expect(await cache.renew(lease, LONG)).toBe(true)
        expect(await cache.acquire('a', 'two', LONG)).toBeUndefined()
        expect(await cache.renew(lease, BRIEF)).toBe(true)
        await firstGiven(() => cache.acquire('a', 'two', LONG))
        expect(await cache.renew(lease, LONG)).toBe(false)
      })

      it('are not renewed once they are over, though nobody has them', async () => {
        const cache = await open()
        const lease = await firstGiven(() => cache.acquire('a', 'one', BRIEF))
        await expect.poll(() => cache.renew(lease, 1), { interval: BRIEF * 2 }).toBe(false)
      })

      it('are given back, by their holder alone', async () => {
        const cache = await open()
        const lease = await firstGiven(() => cache.acquire('a', 'one', LONG))
        await cache.release({ ...lease, fence: lease.fence - 1 })
        expect(await cache.acquire('a', 'two', LONG)).toBeUndefined()
        await cache.release(lease)
        const next = await firstGiven(() => cache.acquire('a', 'two', LONG))
        expect(next.fence).toBeGreaterThan(lease.fence)
        await cache.release(lease)
        expect(await cache.renew(next, LONG)).toBe(true)
      })

      it.each(ODD_KEYS)('may be named %j', async (name) => {
        const cache = await open()
        const lease = await firstGiven(() => cache.acquire(name, name, LONG))
        expect(lease).toMatchObject({ name, holder: name })
        expect(await cache.acquire(name, 'other', LONG)).toBeUndefined()
        await cache.release(lease)
        expect(await cache.acquire(name, 'other', LONG)).toMatchObject({ holder: 'other' })
      })

      it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('are refused for %d ms', async (ttlMs) => {
        const cache = await open()
        await expect(cache.acquire('a', 'one', ttlMs)).rejects.toMatchObject(INVALID)
        const lease = await firstGiven(() => cache.acquire('a', 'one', LONG))
        await expect(cache.renew(lease, ttlMs)).rejects.toMatchObject(INVALID)
      })
    })

    it('shares what it knows with whoever opens it by the same prefix, or says that it does not', async () => {
      const prefix = `suite-${randomUUID()}:`
      const [one, other] = [await open(prefix), await open(prefix)]
      await one.take('a', STILL, 5)
      await one.acquire('a', 'one', LONG)
      expect((await other.take('a', STILL, 5)).allowed).toBe(!one.shared)
      expect((await other.acquire('a', 'two', LONG)) !== undefined).toBe(!one.shared)
    })

    it('answers a check, and not one that is out of time', async () => {
      const cache = await open()
      await cache.check(AbortSignal.timeout(20_000))
      await expect(cache.check(AbortSignal.abort())).rejects.toMatchObject({ name: 'DriverError', kind: 'unavailable' })
    })

    it('is closed for everything once it is closed, also twice', async () => {
      const cache = await open()
      const lease = await firstGiven(() => cache.acquire('a', 'one', LONG))
      await cache.close()
      await cache.close()
      await expect(cache.take('a', STILL)).rejects.toMatchObject(CLOSED)
      await expect(cache.acquire('b', 'one', LONG)).rejects.toMatchObject(CLOSED)
      await expect(cache.renew(lease, LONG)).rejects.toMatchObject(CLOSED)
      await expect(cache.release(lease)).rejects.toMatchObject(CLOSED)
      await expect(cache.check(AbortSignal.timeout(20_000))).rejects.toMatchObject(CLOSED)
    })
  })
}

/** The first that is given: asks until there is one. */
async function firstGiven<T>(ask: () => Promise<T | undefined>): Promise<T> {
  let given: T | undefined
  await expect
    .poll(
      async () => {
        given = await ask()
        return given !== undefined
      },
      { interval: 5 },
    )
    .toBe(true)
  if (given === undefined) throw new Error('nothing was given')
  return given
}
