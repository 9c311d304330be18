import { AsyncLocalStorage } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { type Generated, sql, type Transaction } from 'kysely'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Store, StoreDriver, StoreOptions } from '../../src/drivers/store/contract.ts'
import { dialectOf } from '../../src/drivers/store/dialect.ts'

/** The tables the suite works on. */
export interface SuiteTables {
  account: { id: Generated<number>; email: string; balance: number }
}

type Migrations = StoreOptions['migrations']

/** Adds what a version that doesn't know it never misses. */
const noteColumn: Migrations[string] = {
  up: (db) => db.schema.alterTable('account').addColumn('note', 'text').execute(),
}

/** Makes the suite's tables, in nothing but SQL that every backend has. */
export const suiteMigrations: Migrations = {
  '0001_account': {
    async up(db) {
      await db.schema
        .createTable('account')
        .addColumn('id', 'integer', dialectOf(db).serialId)
        .addColumn('email', 'varchar(255)', (column) => column.notNull().unique())
        .addColumn('balance', 'integer', (column) => column.notNull())
        .execute()
    },
  },
}

/**
 * What every store driver must do, whatever lies behind it.
 *
 * @param url where a driver finds its backend; each test takes a database name of its own there
 */
export function storeSuite(driver: StoreDriver, url: string): void {
  describe(`a store, ${driver.scheme}`, () => {
    let folder: string
    const opened: Store<SuiteTables>[] = []

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'msvc-store-'))
    })
    // a server has only so many connections
    afterEach(() => Promise.all(opened.splice(0).map((store) => store.close())))
    afterAll(async () => {
      await rm(folder, { recursive: true, force: true })
    })

    const newName = () => `suite-${randomUUID()}`
    async function open(name = newName(), migrations = suiteMigrations): Promise<Store<SuiteTables>> {
      const store = await driver.open<SuiteTables>({ url, name, folder, migrations })
      opened.push(store)
      return store
    }

    describe('opening', () => {
      it('keeps rows between two openings and runs a migration once', async () => {
        const name = newName()
        let runs = 0
        const migrations: Migrations = {
          '0001_account': {
            up: async (db) => {
              runs += 1
              await suiteMigrations['0001_account']?.up(db)
            },
          },
        }
        const first = await open(name, migrations)
        await first.transaction((trx) => insert(trx, 'a@example.com'))
        await first.close()
        const second = await open(name, migrations)
        expect(await emails(second)).toEqual(['a@example.com'])
        expect(runs).toBe(1)
      })

      it('runs the migrations that came since, in the order of their names', async () => {
        const name = newName()
        await (await open(name)).close()
        const ran: string[] = []
        const note = (what: string) => ({ up: async () => void ran.push(what) })
        await open(name, { '0003_c': note('c'), '0002_b': note('b'), ...suiteMigrations })
        expect(ran).toEqual(['b', 'c'])
      })

      it('leaves nothing of a migration that fails, and opens when it is mended', async () => {
        const name = newName()
        const broken: Migrations = {
          ...suiteMigrations,
          '0002_broken': { up: () => Promise.reject(new Error('half way')) },
        }
        await expect(open(name, broken)).rejects.toMatchObject({
          name: 'DriverError',
          kind: 'invalid',
          message: expect.stringMatching(/0002_broken.*half way/),
        })
        const store = await open(name)
        await store.transaction((trx) => insert(trx, 'a@example.com'))
        expect(await emails(store)).toEqual(['a@example.com'])
      })

      it('refuses a store that a newer version has migrated', async () => {
        const name = newName()
        await (await open(name, { ...suiteMigrations, '0002_newer': { up: async () => {} } })).close()
        await expect(open(name)).rejects.toMatchObject({
          kind: 'invalid',
          message: expect.stringMatching(/a newer version .* has made 0002_newer/),
        })
      })

      it('opens a store that a newer version has only expanded, and leaves it as it is', async () => {
        const name = newName()
        const newer = { ...suiteMigrations, '0002_expand_note': noteColumn }
        const expanded = await open(name, newer)
        const store = await open(name)
        await store.transaction((trx) => insert(trx, 'a@example.com'))
        expect(await emails(expanded)).toEqual(['a@example.com'])
        await (await open(name, newer)).close()
        const older = { ...suiteMigrations, '0002_another': { up: async () => {} } }
        await expect(open(name, older)).rejects.toMatchObject({
          kind: 'invalid',
          message: expect.stringMatching(/0002_expand_note/),
        })
      })

      it('refuses a store that is another service’s', async () => {
        const name = newName()
        await (await open(name, { '2026_others': { up: async () => {} } })).close()
        await expect(open(name)).rejects.toMatchObject({
          kind: 'invalid',
          message: expect.stringMatching(/it is another service's, which made 2026_others; was a file swapped\?/),
        })
      })

      it('lets several open the same store at once', async () => {
        const name = newName()
        const stores = await Promise.all([open(name), open(name), open(name)])
        await Promise.all(stores.map((store, at) => store.transaction((trx) => insert(trx, `${at}@example.com`))))
        for (const store of stores) expect(await emails(store)).toHaveLength(3)
      })

      it('keeps stores of different names apart', async () => {
        const [one, other] = [await open(), await open()]
        await one.transaction((trx) => insert(trx, 'a@example.com'))
        expect(await emails(other)).toEqual([])
      })

      it.each(['', '../up', 'a/b', 'a b', 'a;b', 'a\0b', 'ä'])('refuses the name %j', async (name) => {
        await expect(open(name)).rejects.toMatchObject({ name: 'DriverError', kind: 'invalid' })
      })
    })

    describe('a transaction', () => {
      it('gives back what its work returns, and its rows are there for reads', async () => {
        const store = await open()
        const id = await store.transaction((trx) => insert(trx, 'a@example.com'))
        const row = await store.db.selectFrom('account').selectAll().where('id', '=', id).executeTakeFirst()
        expect(row).toEqual({ id, email: 'a@example.com', balance: 0 })
      })

      it('undoes everything when its work throws, and passes the error on as it is', async () => {
        const store = await open()
        const error = new Error('changed my mind')
        const failing = store.transaction(async (trx) => {
          await insert(trx, 'a@example.com')
          throw error
        })
        await expect(failing).rejects.toBe(error)
        expect(await emails(store)).toEqual([])
      })

      it('takes a work that throws before its first await for one that rejects', async () => {
        const store = await open()
        const failing = store.transaction(() => {
          throw new Error('at once')
        })
        await expect(failing).rejects.toThrow('at once')
      })

      it('sees its own rows; reads neither see them before the commit nor wait for it', async () => {
        const store = await open()
        await store.transaction(async (trx) => {
          await insert(trx, 'a@example.com')
          expect(await emails({ db: trx })).toEqual(['a@example.com'])
          expect(await emails(store)).toEqual([])
        })
        expect(await emails(store)).toEqual(['a@example.com'])
      })

      it('says how many rows it changed, and returns rows it wrote', async () => {
        const store = await open()
        await store.transaction(async (trx) => {
          await insert(trx, 'a@example.com')
          await insert(trx, 'b@example.com')
          const updated = await trx.updateTable('account').set({ balance: 5 }).executeTakeFirst()
          expect(updated.numUpdatedRows).toBe(2n)
          const gone = await trx
            .deleteFrom('account')
            .where('email', '=', 'a@example.com')
            .returning('balance')
            .execute()
          expect(gone).toEqual([{ balance: 5 }])
        })
      })

      it('turns a taken unique value into a conflict that names the column and not the value', async () => {
        const store = await open()
        await store.transaction((trx) => insert(trx, 'secret@example.com'))
        const second = store.transaction((trx) => insert(trx, 'secret@example.com'))
        const fault = await second.catch((error: unknown) => error)
        expect(fault).toMatchObject({ name: 'DriverError', kind: 'conflict', cause: expect.anything() })
        expect(String(fault)).toContain('email')
        expect(String(fault)).not.toContain('secret')
      })

      it('calls a statement that is wrong invalid', async () => {
        const store = await open()
        const wrong = store.transaction((trx) => sql`select nix from account`.execute(trx))
        await expect(wrong).rejects.toMatchObject({ name: 'DriverError', kind: 'invalid' })
      })

      it('is undone when a query in it fails, also when its work goes on', async () => {
        const store = await open()
        await store.transaction((trx) => insert(trx, 'a@example.com'))
        const swallowing = store.transaction(async (trx) => {
          await insert(trx, 'b@example.com')
          await insert(trx, 'a@example.com').catch(() => 'never mind')
          return 'done'
        })
        await expect(swallowing).rejects.toMatchObject({ name: 'DriverError', kind: 'conflict' })
        expect(await emails(store)).toEqual(['a@example.com'])
      })

      it('takes queries that its work asks at the same time', async () => {
        const store = await open()
        const ids = await store.transaction((trx) => Promise.all(['a', 'b', 'c'].map((email) => insert(trx, email))))
        expect(new Set(ids).size).toBe(3)
        expect(await emails(store)).toEqual(['a', 'b', 'c'])
      })

      it('shows a loose one what was committed before each of its statements, and keeps what that writes', async () => {
        const store = await open()
        await store.transaction(
          async (trx) => {
            await insert(trx, 'a@example.com')
          },
          { isolation: 'loose' },
        )
        expect(await emails(store)).toEqual(['a@example.com'])
      })

      it('behaves as if it ran before or after each other one, of another process too', async () => {
        const name = newName()
        const stores = [await open(name), await open(name)]
        const seats = 3
        let told = 0
        const take = (store: Store<SuiteTables>, email: string) =>
          store.transaction(async (trx) => {
            store.afterCommit(trx, () => told++)
            const taken = await trx.selectFrom('account').select('id').execute()
            // each sees what the others wrote, or they see what it does
            if (taken.length < seats) await insert(trx, email)
          })
        await Promise.all(
          Array.from({ length: 20 }, (_, at) => stores.map((store, which) => take(store, `${at}-${which}`))).flat(),
        )
        for (const store of stores) expect(await emails(store)).toHaveLength(seats)
        expect(told).toBe(40)
      })

      it.each([[new Date()], [{}], [Symbol.iterator], [undefined]])('refuses %s as a value', async (value) => {
        const store = await open()
        const work = store.transaction((trx) =>
          sql`insert into account (email, balance) values ('a', 0), (${value}, 0)`.execute(trx),
        )
        await expect(work).rejects.toMatchObject({ name: 'DriverError', kind: 'invalid' })
        expect(await emails(store)).toEqual([])
      })

      it('refuses what a work left running when it ended', async () => {
        const store = await open()
        const leaked = await store.transaction(async (trx) => [trx])
        await expect(Promise.all(leaked.map((trx) => insert(trx, 'late@example.com')))).rejects.toMatchObject({
          kind: 'closed',
        })
        expect(await emails(store)).toEqual([])
      })

      it.each(['serializable', 'shared'] as const)(
        'runs in the async context of whoever asked for it (%s)',
        async (isolation) => {
          const store = await open()
          const asker = new AsyncLocalStorage<number>()
          const found = await Promise.all(
            [1, 2, 3].map((n) =>
              asker.run(n, () =>
                store.transaction(
                  async (trx) => {
                    await insert(trx, `${n}@example.com`)
                    return asker.getStore()
                  },
                  { isolation },
                ),
              ),
            ),
          )
          expect(found).toEqual([1, 2, 3])
        },
      )

      it('counts right when many add at once', async () => {
        const store = await open()
        const id = await store.transaction((trx) => insert(trx, 'a@example.com'))
        const addOne = async (trx: Transaction<SuiteTables>) => {
          const { balance } = await trx
            .selectFrom('account')
            .select('balance')
            .where('id', '=', id)
            .executeTakeFirstOrThrow()
          await trx
            .updateTable('account')
            .set({ balance: balance + 1 })
            .where('id', '=', id)
            .execute()
        }
        await Promise.all(Array.from({ length: 200 }, () => store.transaction(addOne)))
        expect(await store.db.selectFrom('account').select('balance').executeTakeFirst()).toEqual({ balance: 200 })
      })

      it('counts right when many add to what others committed (committed), and runs none of them again', async () => {
        const name = newName()
        const stores = [await open(name), await open(name)]
        await stores[0]?.transaction((trx) => insert(trx, 'a@example.com'))
        let runs = 0
        const addOne = async (trx: Transaction<SuiteTables>) => {
          runs++
          await trx
            .insertInto('account')
            .values({ email: 'a@example.com', balance: 0 })
            .onConflict((conflict) => conflict.column('email').doUpdateSet({ balance: sql`account.balance + 1` }))
            .execute()
        }
        const adding = Array.from({ length: 200 }, (_, i) =>
          stores[i % 2]?.transaction(addOne, { isolation: 'committed' }),
        )
        await Promise.all(adding)
        expect(runs).toBe(200)
        expect(await stores[1]?.db.selectFrom('account').select('balance').executeTakeFirst()).toEqual({ balance: 200 })
      })

      it('counts right when many add as long as nobody else did (shared), of another process too', async () => {
        const name = newName()
        const stores = [await open(name), await open(name)]
        const id = await stores[0]?.transaction((trx) => insert(trx, 'a@example.com'))
        let told = 0
        const addOne = async (store: Store<SuiteTables>, trx: Transaction<SuiteTables>) => {
          store.afterCommit(trx, () => told++)
          const account = trx
            .selectFrom('account')
            .select('balance')
            .where('id', '=', id ?? 0)
          for (let changed = 0n; changed === 0n; ) {
            const { balance } = await account.executeTakeFirstOrThrow()
            const { numUpdatedRows } = await trx
              .updateTable('account')
              .set({ balance: balance + 1 })
              .where('id', '=', id ?? 0)
              .where('balance', '=', balance)
              .executeTakeFirst()
            changed = numUpdatedRows
          }
        }
        const adding = (store: Store<SuiteTables>) =>
          Array.from({ length: 100 }, () => store.transaction((trx) => addOne(store, trx), { isolation: 'shared' }))
        await Promise.all(stores.flatMap(adding))
        expect(told).toBe(200)
        expect(await stores[1]?.db.selectFrom('account').select('balance').executeTakeFirst()).toEqual({ balance: 200 })
      })

      it.each(['serializable', 'shared'] as const)(
        'leaves the rows of exactly those that succeed, of any mix at the same time (%s)',
        async (isolation) => {
          const store = await open()
          await fc.assert(
            fc.asyncProperty(fc.array(plan, { maxLength: 40 }), async (plans) => {
              await store.transaction((trx) => trx.deleteFrom('account').execute())
              const outcomes = await Promise.allSettled(
                plans.map((one) => store.transaction((trx) => carryOut(trx, one), { isolation })),
              )
              const kept = plans.filter((_, at) => outcomes[at]?.status === 'fulfilled')
              for (const [at, { throws }] of plans.entries()) {
                if (throws) expect(outcomes[at]).toMatchObject({ status: 'rejected', reason: expect.any(Error) })
              }
              const wanted = kept.flatMap((one) => one.emails)
              expect(await emails(store)).toEqual(wanted.toSorted())
              // A plan that could have succeeded, did: whatever failed without throwing itself met a taken e-mail.
              for (const [at, one] of plans.entries()) {
                if (one.throws || outcomes[at]?.status === 'fulfilled') continue
                expect(outcomes[at]).toMatchObject({ reason: { kind: 'conflict' } })
                expect(new Set([...one.emails, ...wanted]).size).toBeLessThan(one.emails.length + wanted.length)
              }
            }),
            { numRuns: 50 },
          )
        },
      )
    })

    describe('a query', () => {
      it('gives integers as numbers, as far as these count exactly', async () => {
        const store = await open()
        await store.transaction((trx) =>
          sql`insert into account (email, balance) values ('a', ${2 ** 40}), ('b', ${Number.MAX_SAFE_INTEGER - 2 ** 40})`.execute(
            trx,
          ),
        )
        const all = store.db
          .selectFrom('account')
          .select(({ fn }) => [fn.countAll<number>().as('count'), fn.max('balance').as('most')])
        expect(await all.execute()).toEqual([{ count: 2, most: Number.MAX_SAFE_INTEGER - 2 ** 40 }])
      })

      it('finds nothing under an id that none can have yet', async () => {
        const store = await open()
        const found = store.db.selectFrom('account').select('id').where('id', '=', Number.MAX_SAFE_INTEGER)
        expect(await found.execute()).toEqual([])
      })

      it('orders and compares text by its bytes', async () => {
        const store = await open()
        const texts = [
          'a',
          'B',
          'a-b',
          'ab',
          'é',
          'a_b',
          'Z',
          '0',
          '~',
          'ss',
          'ß',
          'order-service',
          'order',
          '𝄞',
          '\uffee',
        ]
        await store.transaction(async (trx) => {
          for (const text of texts) await insert(trx, text)
        })
        const inOrder = store.db.selectFrom('account').select('email').orderBy('email')
        const byBytes = texts.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
        expect((await inOrder.execute()).map(({ email }) => email)).toEqual(byBytes)
        const behind = await inOrder.where('email', '>', 'a-b').execute()
        expect(behind.map(({ email }) => email)).toEqual(byBytes.slice(byBytes.indexOf('a-b') + 1))
      })
    })

    describe('after a commit', () => {
      it('calls back, in the order asked for, once the rows can be read and before the transaction resolves', async () => {
        const store = await open()
        const calls: string[] = []
        const read = Promise.withResolvers<string[]>()
        await store.transaction(async (trx) => {
          store.afterCommit(trx, () => read.resolve(emails(store)))
          await insert(trx, 'a@example.com')
          store.afterCommit(trx, () => void calls.push('second'))
          expect(calls).toEqual([])
        })
        expect(calls).toEqual(['second'])
        expect(await read.promise).toEqual(['a@example.com'])
      })

      it('never calls back for a work that was undone', async () => {
        const store = await open()
        let calls = 0
        const failing = store.transaction(async (trx) => {
          store.afterCommit(trx, () => calls++)
          throw new Error('changed my mind')
        })
        await expect(failing).rejects.toThrow('changed my mind')
        await store.transaction((trx) => insert(trx, 'a@example.com'))
        expect(calls).toBe(0)
      })

      it('is refused once the transaction is over', async () => {
        const store = await open()
        const [trx] = await store.transaction(async (trx) => [trx] as const)
        expect(() => store.afterCommit(trx, () => {})).toThrow(expect.objectContaining({ kind: 'closed' }))
      })
    })

    describe('long reads', () => {
      it('see what is committed, and refuse to write', async () => {
        const store = await open()
        const before = store.longReads.selectFrom('account').select('email').execute()
        expect(await before).toEqual([])
        await store.transaction((trx) => insert(trx, 'a@example.com'))
        expect(await store.longReads.selectFrom('account').select('email').execute()).toEqual([
          { email: 'a@example.com' },
        ])
        await expect(store.longReads.deleteFrom('account').execute()).rejects.toMatchObject({ kind: 'invalid' })
      })

      it('call a statement that is wrong invalid, and go on', async () => {
        const store = await open()
        await expect(sql`select nothing from nowhere`.execute(store.longReads)).rejects.toMatchObject({
          name: 'DriverError',
          kind: 'invalid',
        })
        expect((await sql`select 1 as one`.execute(store.longReads)).rows).toEqual([{ one: 1 }])
      })

      it('are answered or refused when the store closes, and refused from then on', async () => {
        const store = await open()
        const asked = [1, 2, 3].map(() =>
          store.longReads
            .selectFrom('account')
            .execute()
            .catch((error: unknown) => error),
        )
        await store.close()
        for (const answer of await Promise.all(asked)) {
          expect([[], expect.objectContaining({ kind: 'closed' })]).toContainEqual(answer)
        }
        await expect(store.longReads.selectFrom('account').execute()).rejects.toMatchObject({ kind: 'closed' })
      })
    })

    describe('health and closing', () => {
      it('answers a check, and not one that is out of time', async () => {
        const store = await open()
        await store.check(AbortSignal.timeout(20_000))
        await expect(store.check(AbortSignal.abort())).rejects.toMatchObject({
          name: 'DriverError',
          kind: 'unavailable',
        })
      })

      it('finishes what was asked for before, and refuses what comes after', async () => {
        const name = newName()
        const store = await open(name)
        const asked = [1, 2, 3].map((at) => store.transaction((trx) => insert(trx, `${at}@example.com`)))
        const closing = store.close()
        await expect(store.transaction((trx) => insert(trx, 'late@example.com'))).rejects.toMatchObject({
          kind: 'closed',
        })
        await Promise.all(asked)
        await closing
        expect(await emails(await open(name))).toEqual(['1@example.com', '2@example.com', '3@example.com'])
      })

      it('is closed for everything once it is closed, also twice', async () => {
        const store = await open()
        await store.close()
        await store.close()
        const closed = { name: 'DriverError', kind: 'closed' }
        await expect(store.transaction((trx) => insert(trx, 'a@example.com'))).rejects.toMatchObject(closed)
        await expect(emails(store)).rejects.toMatchObject(closed)
        await expect(store.check(AbortSignal.timeout(20_000))).rejects.toMatchObject(closed)
      })
    })
  })
}

/** Adds an account and gives its id. */
export async function insert(trx: Transaction<SuiteTables>, email: string): Promise<number> {
  const row = await trx.insertInto('account').values({ email, balance: 0 }).returning('id').executeTakeFirstOrThrow()
  return row.id
}

/** All e-mails, sorted. */
export async function emails({ db }: Pick<Store<SuiteTables>, 'db'>): Promise<string[]> {
  const rows = await db.selectFrom('account').select('email').execute()
  return rows.map((row) => row.email).toSorted()
}

interface Plan {
  readonly emails: readonly string[]
  readonly throws: boolean
}

/** A work that inserts a few accounts, whose e-mails others may want too, and then may throw. */
const plan: fc.Arbitrary<Plan> = fc.record({
  emails: fc.array(
    fc.integer({ min: 0, max: 60 }).map((at) => `${at}@example.com`),
    { maxLength: 4 },
  ),
  throws: fc.boolean(),
})

async function carryOut(trx: Transaction<SuiteTables>, { emails, throws }: Plan): Promise<void> {
  for (const email of emails) await insert(trx, email)
  if (throws) throw new Error('planned')
}
