import { randomUUID } from 'node:crypto'
import { afterAll, describe, expect, it } from 'vitest'
import type { Cache } from '../../src/drivers/cache/contract.ts'
import { ROWS_A_LOOK, type RowWrite, type SharedTable } from '../../src/drivers/cache/table.ts'
import type { CacheUnderTest } from './cache-suite.ts'

/** What the tables of every cache driver must do. */
export function cacheTableSuite({ kind, driver, url }: CacheUnderTest): void {
  describe(`a table, ${kind}`, () => {
    const opened: Cache[] = []
    afterAll(async () => {
      await Promise.all(opened.map((cache) => cache.close()))
    })
    async function open(): Promise<Cache> {
      const cache = await driver.open({ url: url(), prefix: `suite-${randomUUID()}:` })
      opened.push(cache)
      return cache
    }
    const openTable = async () => (await open()).table('a')

    it('begins empty, afresh, and has nothing new afterwards', async () => {
      const table = await openTable()
      const first = await table.changes('')
      expect(first).toMatchObject({ rows: [], more: false, afresh: true })
      expect(await table.changes(first.cursor)).toEqual({ ...first, afresh: false })
    })

    it('gives what was put, with fences that grow', async () => {
      const table = await openTable()
      const { cursor } = await table.changes('')
      const [one, two] = await write(table, put('x', 'first'), put('x', 'se co\nnd-+~ 1'))
      expect([one?.outcome, two?.outcome]).toEqual(['done', 'done'])
      expect(one?.fence).toBeGreaterThan(Date.now() - 60_000)
      expect(two?.fence).toBeGreaterThan(one?.fence ?? Number.POSITIVE_INFINITY)
      expect(two?.revision).toBeGreaterThan(one?.revision ?? Number.POSITIVE_INFINITY)
      const news = await table.changes(cursor)
      expect(news.rows).toEqual([
        { key: 'x', fence: two?.fence, revision: two?.revision, is: 'put', value: 'se co\nnd-+~ 1' },
      ])
      expect(news).toMatchObject({ more: false, afresh: false })
      expect((await table.changes(news.cursor)).rows).toEqual([])
      expect((await table.changes('')).rows).toEqual(news.rows)
    })

    it('refuses what an older fence writes, and takes what the same or a newer one does', async () => {
      const table = await openTable()
      expect((await write(table, put('x', 'a', 10), put('x', 'b', 10), put('x', 'c', 12)))[2]).toMatchObject({
        outcome: 'done',
        fence: 12,
      })
      const late: readonly RowWrite[] = [
        put('x', 'late', 11),
        { do: 'touch', key: 'x', fence: 11 },
        { do: 'remove', key: 'x', fence: 11, value: 'late' },
      ]
      expect(await table.write(late)).toEqual(late.map(() => ({ outcome: 'stale', fence: 12, revision: 0 })))
      expect((await table.changes('')).rows).toMatchObject([{ key: 'x', fence: 12, value: 'c' }])
    })

    it('tells of what was touched without its value, and knows what there is to touch', async () => {
      const table = await openTable()
      const [made] = await write(table, put('x', 'a', 5), put('y', 'b', 5))
      const { cursor } = await table.changes('')
      const [touched, newer, never] = await table.write([
        { do: 'touch', key: 'x', fence: 5 },
        { do: 'touch', key: 'x', fence: 6 },
        { do: 'touch', key: 'z', fence: 5 },
      ])
      expect(touched).toMatchObject({ outcome: 'done', fence: 5 })
      expect(newer).toEqual({ outcome: 'unknown', fence: 5, revision: 0 })
      expect(never).toEqual({ outcome: 'unknown', fence: 0, revision: 0 })
      const { rows } = await table.changes(cursor)
      expect(rows).toEqual([{ key: 'x', fence: 5, revision: touched?.revision, is: 'touched', value: '' }])
      // who hasn't seen it yet gets all of it, in the order of the latest change
      expect((await table.changes('')).rows.map(({ key, is, value }) => [key, is, value])).toEqual([
        ['y', 'put', 'b'],
        ['x', 'put', 'a'],
      ])
      expect(touched?.revision).toBeGreaterThan(made?.revision ?? Number.POSITIVE_INFINITY)
    })

    it('tells of what was removed and why, and remembers its fence', async () => {
      const table = await openTable()
      await write(table, put('x', 'a', 5))
      const { cursor } = await table.changes('')
      expect(await table.write([{ do: 'remove', key: 'x', fence: 7, value: 'gone' }])).toMatchObject([
        { outcome: 'done' },
      ])
      expect((await table.changes(cursor)).rows).toMatchObject([{ key: 'x', fence: 7, is: 'removed', value: 'gone' }])
      const [late, touched, again] = await table.write([
        put('x', 'b', 6),
        { do: 'touch', key: 'x', fence: 7 },
        put('x', 'c', 7),
      ])
      expect([late?.outcome, touched?.outcome, again?.outcome]).toEqual(['stale', 'unknown', 'done'])
      expect((await table.changes(cursor)).rows).toMatchObject([{ is: 'put', value: 'c' }])
      const [next] = await write(table, put('x', 'd'))
      expect(next?.fence).toBeGreaterThan(7)
    })

    it('gives many rows in pages, none twice and none left out', async () => {
      const table = await openTable()
      const count = ROWS_A_LOOK * 2 + 1
      const writes = Array.from({ length: count }, (_, at) => put(`key-${at}`, String(at)))
      await table.write(writes)
      const keys: string[] = []
      let look = await table.changes('')
      for (; look.more; look = await table.changes(look.cursor)) {
        keys.push(...look.rows.map(({ key }) => key))
        expect(look.rows).toHaveLength(ROWS_A_LOOK)
      }
      keys.push(...look.rows.map(({ key }) => key))
      expect(keys).toEqual(writes.map(({ key }) => key))
    })

    it('loses no change while writers and a reader meet', async () => {
      const table = await openTable()
      const seen = new Map<string, string>()
      let cursor = ''
      let isOver = false
      const reading = (async () => {
        for (let rest = 2; rest > 0; rest -= isOver ? 1 : 0) {
          const look = await table.changes(cursor)
          for (const { key, is, value } of look.rows) if (is === 'put') seen.set(key, value)
          cursor = look.cursor
        }
      })()
      const writer = async (name: number) => {
        for (let at = 0; at < 50; at++) await write(table, put(`key-${at % 7}`, `${name}-${at}`))
      }
      await Promise.all([writer(1), writer(2), writer(3)])
      isOver = true
      await reading
      const { rows } = await table.changes('')
      expect(Object.fromEntries(seen)).toEqual(Object.fromEntries(rows.map(({ key, value }) => [key, value])))
    })

    it('keeps tables apart by name, and none behind a closed cache', async () => {
      const cache = await open()
      await write(cache.table('a'), put('x', 'a'))
      expect((await cache.table('b').changes('')).rows).toEqual([])
      expect((await cache.table('a').changes('')).rows).toHaveLength(1)
      const table = cache.table('a')
      await cache.close()
      const closed = { name: 'DriverError', kind: 'closed' }
      await expect(table.changes('')).rejects.toMatchObject(closed)
      await expect(table.write([put('x', 'b')])).rejects.toMatchObject(closed)
    })
  })
}

function put(key: string, value: string, fence?: number): RowWrite & { do: 'put' } {
  return fence === undefined ? { do: 'put', key, value } : { do: 'put', key, value, fence }
}

function write(table: SharedTable, ...writes: readonly RowWrite[]) {
  return table.write(writes)
}
