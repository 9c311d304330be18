import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql, type Transaction } from 'kysely'
import pg from 'pg'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import type { Store } from '../../src/drivers/store/contract.ts'
import { openStore } from '../../src/drivers/store/open.ts'
import { postgres } from '../../src/drivers/store/postgres.ts'
import { startPostgres, UNSYNCED } from '../servers/postgres.ts'
import { isHere } from '../servers/programs.ts'
import { tapWire } from '../servers/wire.ts'
import { mostRingsTime, RING_MS } from './rings.ts'
import { emails, insert, type SuiteTables, storeSuite, suiteMigrations } from './store-suite.ts'

const server = isHere('postgres') ? await startPostgres({ config: UNSYNCED }) : undefined
const { url = '', port = 0 } = server ?? {}
afterAll(() => server?.[Symbol.asyncDispose]())

const opened: Store<SuiteTables>[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()))
})

const newName = () => `store-${randomUUID()}`
async function open({ name = newName(), at = url, migrations = suiteMigrations } = {}): Promise<Store<SuiteTables>> {
  const store = await openStore<SuiteTables>({ url: at, name, folder: '', migrations })
  opened.push(store)
  return store
}

/** Says something as the superuser. */
async function say<R extends pg.QueryResultRow>(text: string, database = 'postgres'): Promise<R[]> {
  const client = new pg.Client(url.replace(/[^/]*$/, database))
  await client.connect()
  try {
    return (await client.query<R>(text)).rows
  } finally {
    await client.end()
  }
}

const through = (wirePort: number) => url.replace(`:${port}/`, `:${wirePort}/`)
const backendsOf = (name: string) => `select pid from pg_stat_activity where application_name = 'msvc/${name}'`

/** Cuts the wire at the first COMMIT from here on; gives how often it was. */
function cutAtCommit(wire: Awaited<ReturnType<typeof tapWire>>, fate: 'drop' | 'drop-answer'): () => number {
  let cuts = 0
  wire.onSaid = (said) => {
    if (cuts > 0 || !said.includes('commit\0')) return 'pass'
    cuts++
    return fate
  }
  return () => cuts
}

describe.skipIf(!server)('PostgreSQL', () => {
  storeSuite(postgres, url)

  describe('a store on it', () => {
    it('has a schema of its name in the database of the URL, and says who it is', async () => {
      const name = newName()
      const store = await open({ name, at: url.replace('postgres:', 'postgresql:') })
      await store.transaction((trx) => insert(trx, 'a@example.com'))
      expect(await say(`select email from "${name}".account`)).toEqual([{ email: 'a@example.com' }])
      expect((await say(backendsOf(name))).length).toBeGreaterThan(0)
    })

    it('has a database of its own where the URL says {service}', async () => {
      const name = newName()
      await say(`create database "${name}"`)
      const store = await open({ name, at: url.replace(/[^/]*$/, '{service}') })
      await store.transaction((trx) => insert(trx, 'a@example.com'))
      expect(await say(`select email from "${name}".account`, name)).toEqual([{ email: 'a@example.com' }])
    })

    it('takes a service whose name has 64 characters for none: the server would cut it short', async () => {
      await expect(open({ name: 'x'.repeat(64) })).rejects.toMatchObject({ kind: 'invalid' })
    })

    it('rings again elsewhere when the connection broke under a ring', async () => {
      const name = newName()
      await using wire = await tapWire(port)
      const [here, there] = [await open({ name, at: through(wire.port) }), await open({ name })]
      let rings = 0
      there.onRing('rows', () => rings++)
      await expect.poll(() => rings).toBeGreaterThan(0)
      let sent = 0
      let before = Number.POSITIVE_INFINITY
      wire.onSaid = (said) => {
        if (!said.includes('pg_notify')) return 'pass'
        before = rings
        return sent++ === 0 ? 'drop' : 'pass'
      }
      here.ring('rows')
      await expect.poll(() => sent).toBe(2)
      await expect.poll(() => rings).toBeGreaterThan(before)
    })

    it('opens at most as many connections as the URL says, and closes them', async () => {
      const name = newName()
      const store = await open({ name, at: `${url}?pool_max_conns=5` })
      await Promise.all(
        Array.from({ length: 40 }, async (_, at) => {
          await store.transaction((trx) => insert(trx, `${at}`))
          await emails(store)
          await store.longReads.selectFrom('account').selectAll().execute()
        }),
      )
      expect((await say(backendsOf(name))).length).toBeLessThanOrEqual(5)
      await store.close()
      await expect.poll(() => say(backendsOf(name))).toEqual([])
    })

    it('refuses to write through db', async () => {
      const store = await open()
      const writing = store.db.insertInto('account').values({ email: 'a', balance: 0 }).execute()
      await expect(writing).rejects.toMatchObject({ kind: 'invalid', message: expect.stringContaining('transaction') })
      await expect(store.db.transaction().execute(async (trx) => emails({ db: trx }))).rejects.toMatchObject({
        kind: 'invalid',
      })
    })

    it('goes on when a newer version of the program changes a table that it has statements for', async () => {
      const name = newName()
      const store = await open({ name })
      const all = () => store.db.selectFrom('account').selectAll().execute()
      expect(await all()).toEqual([])
      await open({
        name,
        migrations: {
          ...suiteMigrations,
          '0002_note': { up: (db) => db.schema.alterTable('account').addColumn('note', 'text').execute() },
        },
      })
      await store.transaction((trx) => insert(trx, 'a'))
      expect(await all()).toEqual([{ id: 1, email: 'a', balance: 0, note: null }])
    })

    it('rings for all who have it open', async () => {
      const name = newName()
      const [here, there] = [await open({ name }), await open({ name })]
      const heard = { here: 0, there: 0 }
      here.onRing('rows', () => heard.here++)
      there.onRing('rows', () => heard.there++)
      // when the connection is there, it says that something may have been missed
      await expect.poll(() => heard.there).toBeGreaterThan(0)
      const before = heard.here
      here.ring('rows')
      expect(heard.here).toBe(before + 1)
      here.ring('others')
      expect(heard.here).toBe(before + 1)
      expect(await mostRingsTime(here, () => heard.there)).toBeLessThan(RING_MS)
    })
  })

  describe('a transaction on it', () => {
    it('runs again when its connection is ended, and its rows are there once', async () => {
      const name = newName()
      const store = await open({ name })
      let runs = 0
      await store.transaction(async (trx) => {
        runs++
        await insert(trx, 'a@example.com')
        if (runs > 1) return
        const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx)
        await say(`select pg_terminate_backend(${rows[0]?.pid})`)
      })
      expect(runs).toBe(2)
      expect(await emails(store)).toEqual(['a@example.com'])
    })

    it('shares a commit with others that may, also when one of them fails', async () => {
      const store = await open()
      const add = (at: number) =>
        store.transaction(
          async (trx) => {
            await insert(trx, `${at}@example.com`)
            const { rows } = await sql<{ xid: string }>`select pg_current_xact_id()::text as xid`.execute(trx)
            if (at === 50) throw new Error('planned')
            return rows[0]?.xid
          },
          { isolation: 'shared' },
        )
      const together = await Promise.all(Array.from({ length: 40 }, (_, at) => add(at)))
      expect(new Set(together).size).toBeLessThan(5)
      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, (_, at) => add(at + 40)))
      expect(outcomes.flatMap(({ status }, at) => (status === 'fulfilled' ? [] : [at]))).toEqual([10])
      const beside = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? outcome.value : []))
      expect(new Set(beside).size).toBeLessThan(10)
      expect(await emails(store)).toHaveLength(59)
    })

    it.each([
      ['before COMMIT arrives', 'drop', 2],
      ['before they are told that it is committed', 'drop-answer', 1],
    ] as const)('that several share is there once when the wire is cut %s', async (_, fate, expected) => {
      await using wire = await tapWire(port)
      const store = await open({ at: through(wire.port) })
      await store.transaction((trx) => insert(trx, 'before@example.com'))
      const cuts = cutAtCommit(wire, fate)
      let told = 0
      const runs = await Promise.all(
        [1, 2, 3].map(async (at) => {
          let runs = 0
          const work = async (trx: Transaction<SuiteTables>) => {
            runs++
            store.afterCommit(trx, () => told++)
            await insert(trx, `${at}@example.com`)
          }
          await store.transaction(work, { isolation: 'shared' })
          return runs
        }),
      )
      expect([cuts(), told]).toEqual([1, 3])
      expect(runs).toEqual([expected, expected, expected])
      expect(await emails(store)).toEqual(['1@example.com', '2@example.com', '3@example.com', 'before@example.com'])
    })

    it.each([
      ['before COMMIT arrives', 'drop', 2],
      ['before it is told that it is committed', 'drop-answer', 1],
    ] as const)('is there once when the wire is cut %s', async (_, fate, expected) => {
      await using wire = await tapWire(port)
      const store = await open({ at: through(wire.port) })
      await store.transaction((trx) => insert(trx, 'before@example.com'))
      const cuts = cutAtCommit(wire, fate)
      let runs = 0
      let told = 0
      const id = await store.transaction(async (trx) => {
        runs++
        store.afterCommit(trx, () => told++)
        return insert(trx, 'a@example.com')
      })
      expect([cuts(), runs, told]).toEqual([1, expected, 1])
      expect(await store.db.selectFrom('account').select('id').where('email', '=', 'a@example.com').execute()).toEqual([
        { id },
      ])
    })

    it('that stands still is ended by the server', async () => {
      const store = await open()
      const stuck = store.transaction(async (trx) => {
        await insert(trx, 'a@example.com')
        await sleep(6_000)
        await insert(trx, 'b@example.com')
      })
      await expect(stuck).rejects.toMatchObject({ kind: 'unavailable' })
      expect(await emails(store)).toEqual([])
    })
  })
})
