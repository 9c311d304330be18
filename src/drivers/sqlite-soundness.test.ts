import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { embedded } from './bus/embedded.ts'
import { systemClock as clock } from './clock.ts'
import { wantWhole } from './sqlite-soundness.ts'
import type { StoreOptions } from './store/contract.ts'
import { sqlite } from './store/sqlite.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'msvc-sound-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const openStore = (options: Partial<StoreOptions> = {}) =>
  sqlite.open<{ notes: { text: string } }>({ url: 'sqlite:', name: 'notes', folder, migrations: {}, ...options })

/** Fills some dozen pages, and closes: all is in the one file. */
async function fillStore(): Promise<void> {
  const store = await openStore()
  await store.transaction(async (trx) => {
    await sql`create table notes (text text)`.execute(trx)
    for (let row = 0; row < 40; row++)
      await trx
        .insertInto('notes')
        .values({ text: 'x'.repeat(2_000) })
        .execute()
  })
  await store.close()
}

async function fillBus(): Promise<void> {
  const bus = await embedded.open({ url: 'embedded:', folder, clock })
  const payload = JSON.stringify('x'.repeat(2_000))
  await bus.publish(Array.from({ length: 40 }, (_, n) => ({ id: `${n}`, topic: 'a', payload, attributes: {} })))
  await bus.close()
}

const openBus = () => embedded.open({ url: 'embedded:', folder, clock })

describe.each([
  ['the store', 'notes.db', fillStore, openStore],
  ['the bus', 'bus.db', fillBus, openBus],
] as const)('a damaged file of %s', (_, name, fill, open) => {
  const path = () => join(folder, name)

  it('is told at once when it is cut off, at whatever length', async () => {
    await fill()
    const { size } = statSync(path())
    for (const length of [size - 1, size - 4_096, size >> 1, 4_096, 1_000, 50, 1, 0]) {
      truncateSync(path(), length)
      const opening = open()
      await expect(opening, `${length} of ${size} bytes`).rejects.toMatchObject({ kind: 'damaged' })
      await expect(opening).rejects.toThrow(path())
      expect(existsSync(path())).toBe(true)
    }
  })

  it('is told when parts of it are overwritten, or it never was one, and what can be saved', async () => {
    await fill()
    const bytes = readFileSync(path())
    writeFileSync(path(), bytes.fill('?', bytes.length >> 1, (bytes.length >> 1) + 8_192))
    await expect(open()).rejects.toThrow(/ is damaged \(.+\): put a copy back .+ sqlite3 \S+\.db \.recover/)
    writeFileSync(path(), 'a shopping list'.repeat(1_000))
    await expect(open()).rejects.toThrow('is damaged (it is no SQLite database)')
  })

  it('is no file that is missing, nor one whose process was killed', async () => {
    await fill()
    const first = await open()
    for (const end of ['', '-wal']) writeFileSync(`${path()}${end}.copy`, readFileSync(path() + end))
    await first.close()
    for (const end of ['', '-wal']) writeFileSync(path() + end, readFileSync(`${path()}${end}.copy`))
    await (await open()).close()
    rmSync(path())
    await (await open()).close()
  })
})

it('sets a damaged file aside whose content can be made anew, and begins another', async () => {
  await fillStore()
  truncateSync(join(folder, 'notes.db'), 5_000)
  const told: string[] = []
  const store = await openStore({ onDamaged: (what) => void told.push(what) })
  await store.transaction((trx) => sql`create table notes (text text)`.execute(trx))
  await store.close()
  const aside = readdirSync(folder).find((name) => /^notes\.db\.damaged-\d{8}T\d{6}Z$/.test(name)) ?? 'none'
  expect(told).toEqual([
    expect.stringMatching(`notes.db is damaged .+: it is set aside, .+ sqlite3 .+${aside} .recover`),
  ])
  expect(readdirSync(folder).sort()).toEqual(['notes.db', aside])
  expect(statSync(join(folder, aside)).size).toBe(5_000)
})

it('reads a copy through, and leaves nothing beside it', async () => {
  await fillStore()
  const path = join(folder, 'notes.db')
  const copy = join(folder, 'a copy?#%41.db')
  const bytes = readFileSync(path)
  writeFileSync(copy, bytes)
  wantWhole(copy)
  writeFileSync(copy, bytes.fill('?', bytes.length >> 1, (bytes.length >> 1) + 8_192))
  expect(() => wantWhole(copy)).toThrow(expect.objectContaining({ kind: 'damaged' }))
  writeFileSync(copy, 'a shopping list'.repeat(1_000))
  expect(() => wantWhole(copy)).toThrow('it is no SQLite database')
  expect(readdirSync(folder).sort()).toEqual(['a copy?#%41.db', 'notes.db'])
})
