import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import { afterAll, describe, expect, it } from 'vitest'
import type { Store } from '../../src/drivers/store/contract.ts'
import { openStore, readStore } from '../../src/drivers/store/open.ts'
import { beginNoting, endNoting } from '../../src/drivers/store/sqlite-changes.ts'
import { beginRun } from '../../src/kit/migration/checkpoints.ts'
import { checksumOf } from '../../src/kit/migration/checksum.ts'
import { copyRows, whatMoves } from '../../src/kit/migration/copying.ts'
import { followChanges } from '../../src/kit/migration/noted-changes.ts'
import { startPostgres, UNSYNCED } from '../servers/postgres.ts'
import { isHere } from '../servers/programs.ts'

const server = isHere('postgres') ? await startPostgres({ config: UNSYNCED }) : undefined
afterAll(() => server?.[Symbol.asyncDispose]())
const folder = mkdtempSync(join(tmpdir(), 'msvc-noted-'))
afterAll(() => rmSync(folder, { recursive: true }))
const never = new AbortController().signal

const migrations: Readonly<Record<string, Migration>> = {
  '1': {
    async up(db: Kysely<unknown>) {
      await sql`create table things (id integer primary key, name text unique, size integer)`.execute(db)
      await sql`create table pairs (one text not null, "or two" integer not null, text text, primary key (one, "or two"))`.execute(
        db,
      )
    },
  },
}

/** A statement that some service might run. */
type Statement = (db: Kysely<unknown>) => Promise<unknown>

const id = fc.integer({ min: 1, max: 9 })
const name = fc.constantFrom('a', 'b', 'c', 'd\'"', null)
const statement: fc.Arbitrary<Statement> = fc.oneof(
  fc.tuple(id, name).map(
    ([id, name]): Statement =>
      (db) =>
        sql`insert into things values (${id}, ${name}, 1) on conflict do nothing`.execute(db),
  ),
  fc.tuple(id, name).map(
    ([id, name]): Statement =>
      (db) =>
        sql`insert into things values (${id}, ${name}, 1) on conflict (id) do update set size = things.size + 1`.execute(
          db,
        ),
  ),
  fc.tuple(id, id).map(
    ([from, to]): Statement =>
      (db) =>
        sql`update or ignore things set id = ${to} where id = ${from}`.execute(db),
  ),
  fc.tuple(id, name).map(
    ([id, name]): Statement =>
      (db) =>
        sql`update or ignore things set name = ${name} where id = ${id}`.execute(db),
  ),
  // a unique name changes hands
  fc.tuple(id, id).map(
    ([one, other]): Statement =>
      async (db) => {
        await sql`update things set name = null where id = ${one}`.execute(db)
        await sql`update or ignore things set name = 'a' where id = ${other}`.execute(db)
      },
  ),
  id.map(
    (id): Statement =>
      (db) =>
        sql`delete from things where id >= ${id}`.execute(db),
  ),
  fc.tuple(name, id).map(
    ([name, id]): Statement =>
      (db) =>
        sql`insert into pairs values (${name ?? ''}, ${id}, 'x') on conflict (one, "or two") do update set text = text || 'y'`.execute(
          db,
        ),
  ),
  fc.tuple(name, id).map(
    ([name, id]): Statement =>
      (db) =>
        sql`update or ignore pairs set one = ${name ?? ''}, "or two" = ${id} where "or two" < ${id}`.execute(db),
  ),
  id.map(
    (id): Statement =>
      (db) =>
        sql`delete from pairs where "or two" = ${id}`.execute(db),
  ),
)
/** What happens, in steps; `look`: what changed so far is followed. */
const story = fc.array(
  fc.oneof({ weight: 6, arbitrary: statement }, { weight: 1, arbitrary: fc.constant('look' as const) }),
  { maxLength: 40 },
)

describe.each(['sqlite:', ...(server ? [server.url] : [])])(
  'a store that follows the changes of another (%#)',
  (toUrl) => {
    it('has its rows in the end, whatever is done meanwhile', { timeout: 120_000 }, async () => {
      const open = (url: string) => {
        const name = randomUUID()
        return openStore<unknown>({ url, name, folder, migrations }).then((store) => ({ name, store }))
      }
      await fc.assert(
        fc.asyncProperty(fc.array(statement, { maxLength: 20 }), story, async (before, after) => {
          const [source, target] = [await open('sqlite:'), await open(toUrl)]
          try {
            await follow(source, target.store, before, after)
          } finally {
            await source.store.close()
            await target.store.close()
          }
        }),
        { numRuns: toUrl === 'sqlite:' ? 60 : 20 },
      )
    })
  },
)

async function follow(
  source: { name: string; store: Store<unknown> },
  to: Store<unknown>,
  before: readonly Statement[],
  after: readonly (Statement | 'look')[],
) {
  const path = join(folder, `${source.name}.db`)
  const look = async () => {
    const snapshot = await readStore({ url: 'sqlite:', name: source.name, folder })
    if (!snapshot) throw new Error('it is not there')
    return snapshot
  }
  // one that breaks a rule is undone, and what was noted of it too
  const perform = (statement: Statement) =>
    source.store
      .transaction((trx) => statement(trx))
      .catch((fault: unknown) => expect(fault).toMatchObject({ kind: 'conflict' }))
  for (const one of before) await perform(one)
  beginNoting(path, [
    { name: 'things', key: ['id'] },
    { name: 'pairs', key: ['one', 'or two'] },
  ])
  await beginRun(to, 'run')
  const first = await look()
  const { collections } = await whatMoves(first, to, { migrations })
  expect(collections.map((one) => one.name)).toEqual(['pairs', 'things'])
  let behind = 0
  let isCopied = false
  for (const one of [...after, 'look' as const]) {
    if (one !== 'look') {
      await perform(one)
      continue
    }
    if (!isCopied) for (const collection of collections) await copyRows(collection, { from: first, to, signal: never })
    isCopied = true
    const from = await look()
    behind = (await followChanges({ from, to, collections, behind, signal: never })).last
    await from.close()
  }
  await first.close()
  const last = await look()
  for (const collection of collections) {
    const original = await checksumOf(last.db, collection, { signal: never })
    expect(await checksumOf(to.db, collection, { signal: never })).toEqual(original)
  }
  await last.close()
  endNoting(path)
  endNoting(path)
  const { rows } = await sql<{ name: string }>`select name from sqlite_master where name like 'msvc%'`.execute(
    source.store.db,
  )
  expect(rows).toEqual([])
}
