import * as fc from 'fast-check'
import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import type { Store } from '../../drivers/store/contract.ts'
import { INBOX_MEMORY_EVENTS, INBOX_MEMORY_MS, once } from './inbox.ts'
import { openTestStore, type TestTables } from './testing/open-test-store.ts'

const clockAt = (now: number) => ({ now: () => now, monotonic: () => now })

const event = (id: string, payload: unknown = {}) => ({ id, topic: 'card.charged', payload })

const handle = (store: Store<TestTables>, id: string, now = 0, payload: unknown = {}) =>
  once({ store, clock: clockAt(now) }, event(id, payload), async (trx) => {
    await trx.insertInto('effects').values({ name: id }).execute()
  })

const effects = async (store: Store<TestTables>) =>
  (await store.db.selectFrom('effects').select('name').execute()).map(({ name }) => name)

describe('the inbox', () => {
  it('lets each event have one effect, however often and in whatever order it comes', async () => {
    await using store = await openTestStore()
    const ids = fc.sample(fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 40, maxLength: 40 }), 1).flat()
    await Promise.all(ids.map((id) => handle(store, id)))
    expect((await effects(store)).toSorted()).toEqual([...new Set(ids)].toSorted())
  })

  it('says whether the work ran', async () => {
    await using store = await openTestStore()
    expect([await handle(store, 'a'), await handle(store, 'a')]).toEqual([true, false])
  })

  it('says so when an id comes again with another content', async () => {
    await using store = await openTestStore()
    await handle(store, 'a', 0, { amount: 1 })
    expect(await handle(store, 'a', 0, { amount: 1 })).toBe(false)
    await expect(handle(store, 'a', 0, { amount: 2 })).rejects.toMatchObject({
      code: 'UNPROCESSABLE',
      message: expect.stringContaining('id a was handled before and said something else'),
    })
    await store.transaction((trx) => trx.updateTable('inbox').set({ content: null }).execute())
    expect(await handle(store, 'a', 0, { amount: 2 })).toBe(false)
    expect(await effects(store)).toEqual(['a'])
  })

  it('forgets an event whose work failed, so that it may come again', async () => {
    await using store = await openTestStore()
    const failed = once({ store }, event('a'), async () => {
      throw new Error('card refused')
    })
    await expect(failed).rejects.toThrow('card refused')
    expect(await handle(store, 'a')).toBe(true)
  })

  it('forgets none of the newest, however far a clock jumps', async () => {
    await using store = await openTestStore()
    await handle(store, 'a', 0)
    for (let n = 0; n < 200; n++) await handle(store, `later-${n}`, 2 * INBOX_MEMORY_MS)
    expect(await handle(store, 'a', 2 * INBOX_MEMORY_MS)).toBe(false)
  })

  it('forgets ids after 7 days, and no sooner', async () => {
    await using store = await openTestStore()
    await handle(store, 'old', 0)
    await handle(store, 'young', 1_000)
    await store.transaction((trx) =>
      sql`with recursive others(n) as (select 1 union all select n + 1 from others where n < ${INBOX_MEMORY_EVENTS})
        insert into inbox (id, handled_at) select 'other-' || n, '1970-01-07T00:00:00.000Z' from others`.execute(trx),
    )
    // one id in 64 makes it look
    for (let n = 0; n < 200; n++) await handle(store, `later-${n}`, INBOX_MEMORY_MS + 500)
    const kept = await store.db.selectFrom('inbox').select('id').where('id', 'in', ['old', 'young']).execute()
    expect(kept).toEqual([{ id: 'young' }])
  })
})
