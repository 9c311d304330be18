import { randomUUID } from 'node:crypto'
import { afterAll, describe, expect, it } from 'vitest'
import type { Cache, CacheDriver } from '../../src/drivers/cache/contract.ts'

/** Far enough away not to pass during a test. */
const LONG = 60_000

/**
 * What every cache driver must do, whatever lies behind it.
 *
 * @param url where a driver finds its backend; each test takes a prefix of its own there
 */
export function cacheSuite(driver: CacheDriver, url: string): void {
  describe(`a cache, ${driver.scheme}`, () => {
    const opened: Cache[] = []
    afterAll(async () => {
      await Promise.all(opened.map((cache) => cache.close()))
    })
    async function open(prefix = `suite-${randomUUID()}:`): Promise<Cache> {
      const cache = await driver.open({ url, prefix })
      opened.push(cache)
      return cache
    }

    it('gives back what was set, and undefined for what was not', async () => {
      const cache = await open()
      await cache.set('a', { n: 1, list: ['ü', null, true] }, LONG)
      expect(await cache.get('a')).toEqual({ n: 1, list: ['ü', null, true] })
      expect(await cache.get('b')).toBeUndefined()
    })

    it.each([null, false, 0, '', 'text', -1.5, [], {}])('tells %j from nothing', async (value) => {
      const cache = await open()
      await cache.set('a', value, LONG)
      expect(await cache.get('a')).toEqual(value)
    })

    it('replaces and deletes', async () => {
      const cache = await open()
      await cache.set('a', 1, LONG)
      await cache.set('a', 2, LONG)
      expect(await cache.get('a')).toBe(2)
      await cache.delete('a')
      expect(await cache.get('a')).toBeUndefined()
      await cache.delete('a')
    })

    it('shares no value by reference', async () => {
      const cache = await open()
      const value = { list: [1] }
      await cache.set('a', value, LONG)
      value.list.push(2)
      const first = await cache.get<{ list: number[] }>('a')
      first?.list.push(3)
      expect(await cache.get('a')).toEqual({ list: [1] })
    })

    it('forgets a value when its time is over, and not before', async () => {
      const cache = await open()
      await cache.set('brief', 1, 20)
      await cache.set('long', 1, LONG)
      await expect.poll(() => cache.get('brief'), { interval: 5 }).toBeUndefined()
      expect(await cache.get('long')).toBe(1)
    })

    it('lets the later time to live win', async () => {
      const cache = await open()
      await cache.set('a', 1, LONG)
      await cache.set('a', 2, 20)
      await expect.poll(() => cache.get('a'), { interval: 5 }).toBeUndefined()
    })

    it('keeps prefixes apart', async () => {
      const [one, other] = [await open(), await open()]
      await one.set('a', 1, LONG)
      expect(await other.get('a')).toBeUndefined()
    })

    it.each(['__proto__', 'constructor', '', 'a b\r\nc', '键', 'x'.repeat(1_000)])('takes the key %j', async (key) => {
      const cache = await open()
      expect(await cache.get(key)).toBeUndefined()
      await cache.set(key, 'here', LONG)
      expect(await cache.get(key)).toBe('here')
    })

    it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuses a time to live of %d', async (ttlMs) => {
      const cache = await open()
      await expect(cache.set('a', 1, ttlMs)).rejects.toMatchObject({ name: 'DriverError', kind: 'invalid' })
      expect(await cache.get('a')).toBeUndefined()
    })

    it.each([undefined, () => 1, 1n])(
      'refuses %s, which JSON does not have, and keeps what was there',
      async (value) => {
        const cache = await open()
        await cache.set('a', 1, LONG)
        await expect(cache.set('a', value, LONG)).rejects.toMatchObject({ name: 'DriverError', kind: 'invalid' })
        expect(await cache.get('a')).toBe(1)
      },
    )

    it('answers a check, and not one that is out of time', async () => {
      const cache = await open()
      await cache.check(AbortSignal.timeout(5_000))
      await expect(cache.check(AbortSignal.abort())).rejects.toMatchObject({ name: 'DriverError', kind: 'unavailable' })
    })

    it('is closed for everything once it is closed, also twice', async () => {
      const cache = await open()
      await cache.set('a', 1, LONG)
      await cache.close()
      await cache.close()
      const closed = { name: 'DriverError', kind: 'closed' }
      await expect(cache.get('a')).rejects.toMatchObject(closed)
      await expect(cache.set('a', 1, LONG)).rejects.toMatchObject(closed)
      await expect(cache.delete('a')).rejects.toMatchObject(closed)
      await expect(cache.check(AbortSignal.timeout(5_000))).rejects.toMatchObject(closed)
    })
  })
}
