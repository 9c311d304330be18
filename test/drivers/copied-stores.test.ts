import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import type { Store, StoreSnapshot } from '../../src/drivers/store/contract.ts'
import { dialectOf } from '../../src/drivers/store/dialect.ts'
import { openStore, readStore } from '../../src/drivers/store/open.ts'
import type { Collection } from '../../src/kit/kept-data.ts'
import { beginRun } from '../../src/kit/migration/checkpoints.ts'
import { checksumOf } from '../../src/kit/migration/checksum.ts'
import { copyRows, moveSerials, startAnew, whatMoves } from '../../src/kit/migration/copying.ts'
import { startPostgres } from '../servers/postgres.ts'
import { isHere } from '../servers/programs.ts'

const server = isHere('postgres') ? await startPostgres() : undefined
afterAll(() => server?.[Symbol.asyncDispose]())
const folder = mkdtempSync(join(tmpdir(), 'msvc-copied-'))
afterAll(() => rmSync(folder, { recursive: true }))

interface Tables {
  things: { id?: number; name: string | null; price: number | null; bytes: Uint8Array | null; is_new: unknown }
  pairs: { left_part: string; right_part: number; text: string }
}

const migrations: Readonly<Record<string, Migration>> = {
  '1': {
    async up(db: Kysely<unknown>) {
      const isSqlite = dialectOf(db).name === 'sqlite'
      await db.schema
        .createTable('things')
        .addColumn('id', 'integer', dialectOf(db).serialId)
        .addColumn('name', 'text', (column) => column.unique())
        .addColumn('price', 'double precision')
        .addColumn('bytes', isSqlite ? 'blob' : 'bytea')
        .addColumn('is_new', 'boolean')
        .execute()
      await db.schema
        .createTable('pairs')
        .addColumn('left_part', 'text', (column) => column.notNull())
        .addColumn('right_part', 'integer', (column) => column.notNull())
        .addColumn('text', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('pairs_key', ['left_part', 'right_part'])
        .execute()
    },
  },
}

const closing: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of closing.splice(0)) await one.close()
})

async function open(url: string, name: string): Promise<Store<Tables>> {
  const store = await openStore<Tables>({ url, name, folder, migrations })
  closing.push(store)
  return store
}

async function look(url: string, name: string): Promise<StoreSnapshot> {
  const snapshot = await readStore({ url, name, folder })
  if (!snapshot) throw new Error('it is not there')
  closing.push(snapshot)
  return snapshot
}

/** As long as the kit's opens it by what a role says of it, the store's tables are nobody's type. */
const asAny = (store: Store<Tables>) => store as unknown as Store<unknown>
const sumOf = (db: Kysely<unknown>, collection: Collection) => checksumOf(db, collection, { signal: never })
const never = new AbortController().signal

const isNew = (store: Store<Tables>, value: boolean) => (dialectOf(store.db).name === 'sqlite' ? Number(value) : value)

async function fill(store: Store<Tables>): Promise<void> {
  await store.transaction(async (trx) => {
    for (let at = 0; at < 1_200; at++) {
      const bytes = at % 3 === 0 ? null : Uint8Array.of(0, at % 256, 255)
      const price = [0.1 + 0.2, 1e-300, -5, null, 1_234_567.875, Number.MAX_VALUE][at % 6] ?? null
      await trx
        .insertInto('things')
        .values({
          name: at % 7 === 0 ? null : `naïve ${at} 😀 "'\\\n`,
          price,
          bytes,
          is_new: isNew(store, at % 2 === 0),
        })
        .execute()
    }
    await trx.deleteFrom('things').where('id', '>', 1_190).execute()
    for (const left_part of ['a', 'B', 'é', '😀', '']) {
      for (let right_part = -3; right_part < 300; right_part++) {
        await trx
          .insertInto('pairs')
          .values({ left_part, right_part, text: 'x'.repeat(right_part === 7 ? 900_000 : 3) })
          .execute()
      }
    }
  })
}

const ways: readonly (readonly [from: string, to: string])[] = [
  ['sqlite:', 'sqlite:'],
  ...(server
    ? ([
        ['sqlite:', server.url],
        [server.url, 'sqlite:'],
        [server.url, server.url],
      ] as const)
    : []),
]

describe.each(ways)('rows of one store copied to another (%#)', (fromUrl, toUrl) => {
  async function begin() {
    const [from, to] = [`from-${randomUUID()}`, `to-${randomUUID()}`]
    await fill(await open(fromUrl, from))
    const [source, target] = [await look(fromUrl, from), await open(toUrl, to)]
    await beginRun(asAny(target), 'run')
    return { source, target, moved: await whatMoves(source, asAny(target), { migrations }), to }
  }

  it('are the same, in every type, and numbers go on behind the last that was given out', async () => {
    const { source, target, moved, to } = await begin()
    expect(moved.collections.map(({ name }) => name)).toEqual(['pairs', 'things'])
    for (const collection of moved.collections)
      await copyRows(collection, { from: source, to: asAny(target), signal: never })
    await moveSerials(moved.serials, source, asAny(target))
    const copy = await look(toUrl, to)
    for (const collection of moved.collections) {
      const original = await sumOf(source.db, collection)
      expect(await sumOf(copy.db, collection)).toEqual(original)
      expect(original.rows).toBe(await collection.count(copy.db))
    }
    expect(await target.db.selectFrom('things').selectAll().where('id', '=', 2).executeTakeFirst()).toEqual({
      id: 2,
      name: `naïve 1 😀 "'\\\n`,
      price: 1e-300,
      bytes: expect.objectContaining({ 0: 0, 1: 1, 2: 255 }),
      is_new: isNew(target, false),
    })
    await target.transaction(async (trx) => {
      const { id } = await trx
        .insertInto('things')
        .values({ name: 'next', price: null, bytes: null, is_new: null })
        .returning('id')
        .executeTakeFirstOrThrow()
      expect(id).toBe(1_201)
    })
  })

  it('go on where they were ended, and end with the same', async () => {
    const { source, target, moved } = await begin()
    for (const collection of moved.collections) {
      let isDone = false
      while (!isDone) {
        const ending = new AbortController()
        let batches = 0
        const onCopied = (rows: number) => {
          if (rows > 0 && ++batches === 3) ending.abort()
        }
        isDone = await copyRows(collection, { from: source, to: asAny(target), signal: ending.signal, onCopied }).then(
          () => true,
          () => false,
        )
      }
      const original = await sumOf(source.db, collection)
      expect(await sumOf(asAny(target).db, collection)).toEqual(original)
    }
  })

  it('tell a row apart that differs, and are copied anew', async () => {
    const { source, target, moved } = await begin()
    const [pairs] = moved.collections
    if (!pairs) throw new Error('no collection')
    const copy = () => copyRows(pairs, { from: source, to: asAny(target), signal: never })
    await copy()
    await target.transaction(async (trx) => {
      await sql`update pairs set text = 'other' where left_part = 'a' and right_part = 3`.execute(trx)
    })
    expect(await sumOf(asAny(target).db, pairs)).not.toEqual(await sumOf(source.db, pairs))
    await startAnew(pairs, asAny(target))
    await copy()
    expect(await sumOf(asAny(target).db, pairs)).toEqual(await sumOf(source.db, pairs))
  })
})

describe('a store that is looked at', () => {
  it.each([['sqlite:'], ...(server ? [[server.url]] : [])])('is not made (%#)', async (url) => {
    expect(await readStore({ url, name: `none-${randomUUID()}`, folder })).toBe(undefined)
    expect(await readStore({ url, name: 'none', folder }, { toFill: true })).toBe(undefined)
  })
})
