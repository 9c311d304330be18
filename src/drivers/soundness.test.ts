import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { embedded } from './bus/embedded.ts'
import { systemClock as clock } from './clock.ts'
import type { StoreOptions } from './store/contract.ts'
import { sqlite } from './store/sqlite.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'msvc-sound-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Together more than is read through when it is opened. */
const BLOCK = 100_000
const ROWS = 200
const signal = new AbortController().signal

interface Tables {
  notes: { text: string }
}

async function openStore(options: Partial<StoreOptions> = {}) {
  const store = await sqlite.open<Tables>({ url: 'sqlite:', name: 'notes', folder, migrations: {}, ...options })
  const write = () => store.transaction((trx) => trx.insertInto('notes').values({ text: 'one more' }).execute())
  return { part: store, write, read: () => store.db.selectFrom('notes').selectAll().execute() }
}

async function fillStore() {
  const { part } = await openStore()
  await part.transaction(async (trx) => {
    await sql`create table notes (text text)`.execute(trx)
    const rows = Array.from({ length: ROWS }, () => ({ text: 'x'.repeat(BLOCK) }))
    await trx.insertInto('notes').values(rows).execute()
  })
  await part.close()
}

async function openBus() {
  const bus = await embedded.open({ url: 'embedded:', folder, clock })
  const write = () => bus.publish([{ id: 'one more', topic: 'a', payload: '1', attributes: {} }])
  return { part: bus, write, read: async () => bus.read('a', { after: await bus.place('a', 'first'), limit: ROWS }) }
}

async function fillBus() {
  const { part } = await openBus()
  const payload = JSON.stringify('x'.repeat(BLOCK))
  await part.publish(Array.from({ length: ROWS }, (_, n) => ({ id: `${n}`, topic: 'a', payload, attributes: {} })))
  await part.close()
}

/** Overwrites all but the first pages, as a failing disk would, in the file that is open. */
function spoil(path: string): void {
  const sound = 40_000
  const file = openSync(path, 'r+')
  writeSync(file, Buffer.alloc(statSync(path).size - sound, '?'), null, null, sound)
  closeSync(file)
}

describe.each([
  ['the store', 'notes.db', fillStore, openStore],
  ['the bus', 'bus.db', fillBus, openBus],
] as const)('while it is open, the file of %s', (_, name, fill, open) => {
  const path = () => join(folder, name)

  it('is known to be damaged once damage was met: nothing is written, and it is said what can be saved', async () => {
    await fill()
    const { part, read, write } = await open()
    await part.check(signal)
    spoil(path())
    await expect(read()).rejects.toMatchObject({ kind: 'damaged' })
    await expect(part.unsound).resolves.toMatchObject({
      kind: 'damaged',
      message: expect.stringMatching(/ is damaged \(.+\): put a copy back .+ sqlite3 \S+\.db \.recover/),
    })
    await expect(part.check(signal)).rejects.toMatchObject({ kind: 'damaged' })
    await expect(part.checkWrites()).rejects.toMatchObject({ kind: 'damaged' })
    const refused = { kind: 'damaged', message: `${name} is damaged: nothing is written to it any more` }
    await expect(write()).rejects.toMatchObject(refused)
    await part.close().catch(() => {})
    expect(readdirSync(folder)).toContain(name)
  })

  it.each([
    ['replaced', () => writeFileSync(path(), 'another')],
    ['removed', () => {}],
  ])('acknowledges nothing once it was %s', async (_how, put) => {
    await fill()
    const { part, write } = await open()
    await write()
    renameSync(path(), `${path()}.old`)
    put()
    await expect(write()).rejects.toThrow(`${name} was removed or replaced while it was open`)
    await expect(part.check(signal)).rejects.toMatchObject({ kind: 'unavailable' })
    await expect(part.unsound).resolves.toMatchObject({ kind: 'unavailable' })
    renameSync(`${path()}.old`, path())
    await part.check(signal)
    await part.close()
  })
})

it('is set aside when it is closed, where it can be made anew', async () => {
  await fillStore()
  const told: string[] = []
  const options = { onDamaged: (what: string) => void told.push(what) }
  const { part, read } = await openStore(options)
  spoil(join(folder, 'notes.db'))
  await expect(read()).rejects.toMatchObject({ kind: 'damaged' })
  await expect(part.unsound).resolves.toMatchObject({ message: expect.stringMatching(/ is damaged \([^:]+\)$/) })
  await part.close()
  expect(told).toEqual([expect.stringMatching('it is set aside')])
  const next = await openStore(options)
  await next.part.transaction((trx) => sql`create table notes (text text)`.execute(trx))
  await part.close()
  expect(await next.read()).toEqual([])
  await next.part.close()
  expect(readdirSync(folder).sort()).toEqual(['notes.db', expect.stringMatching(/^notes\.db\.damaged-\d{8}T\d{6}Z$/)])
})
