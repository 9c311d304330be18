import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { embedded } from './bus/embedded.ts'
import { systemClock as clock } from './clock.ts'
import { readyRestored } from './restored-copy.ts'

const signal = new AbortController().signal
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'msvc-restored-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

it('leaves out numbers that may have been given out, also where none was by then', () => {
  const path = join(folder, 'order-service.db')
  const database = new DatabaseSync(path)
  database.exec(`create table used(id integer primary key autoincrement); create table fresh(id integer primary key autoincrement);
    create table other(id integer primary key); insert into used default values; insert into other default values`)
  readyRestored(path, 1_000)
  const next = (table: string) => database.prepare(`insert into ${table} default values returning id`).get()?.id
  expect(['used', 'fresh', 'other'].map(next)).toEqual([1_002, 1_001, 2])
  database.close()
})

it('leaves a database alone that gives out no numbers', () => {
  for (const name of ['payment-service.db', 'bus.db']) {
    const path = join(folder, name)
    const database = new DatabaseSync(path)
    database.exec('create table payments(id text)')
    readyRestored(path, 1_000)
    expect(database.prepare('select count(*) as count from payments').get()?.count).toBe(0)
    database.close()
  }
})

it('refuses tokens that a bus handed out before, and keeps what its subscriptions have', async () => {
  const open = () => embedded.open({ url: 'embedded:', folder, clock })
  const before = await open()
  const spec = { topic: 'a', group: 'g', maxDeliver: 1, ackWaitMs: 30_000 }
  const { id } = await before.subscribe(spec)
  const { id: other } = await before.subscribe({ topic: '>', from: 'first' })
  await before.publish(['1', '2', '3'].map((message) => ({ id: message, topic: 'a', payload: '1', attributes: {} })))
  const [first, second] = await before.pull(id, { max: 2, waitMs: 0, signal })
  await before.nack(id, [second?.ack ?? ''], { reason: 'no' })
  await before.close()

  readyRestored(join(folder, 'bus.db'), 1_000)

  const after = await open()
  expect(await after.ack(id, [first?.ack ?? ''])).toBe(0)
  expect(await after.subscription(other)).toMatchObject({ pending: 3 })
  expect(await after.deadLetters({ limit: 10 })).toMatchObject([{ id: '2', subscription: id, reason: 'no' }])
  const again = await after.pull(other, { max: 10, waitMs: 0, signal })
  expect(again.map((delivery) => delivery.id)).toEqual(['1', '2', '3'])
  expect(
    await after.ack(
      other,
      again.map(({ ack }) => ack),
    ),
  ).toBe(3)
  expect((await after.subscribe({ topic: 'new' })).id).not.toBe(id)
  expect((await after.subscribe(spec)).id).toBe(id)
  await after.close()
})

it('keeps what a subscription holds back for its key', async () => {
  const open = () => embedded.open({ url: 'embedded:', folder, clock })
  const before = await open()
  const { id } = await before.subscribe({ topic: 'a', group: 'g' })
  const attributes = { partitionkey: 'k' }
  await before.publish(['1', '2'].map((message) => ({ id: message, topic: 'a', payload: '1', attributes })))
  expect(await before.pull(id, { max: 2, waitMs: 0, signal })).toHaveLength(1)
  await before.close()

  readyRestored(join(folder, 'bus.db'), 1_000)
  const after = await open()
  for (const message of ['1', '2']) {
    const [delivery] = await after.pull(id, { max: 2, waitMs: 20_000, signal })
    expect(delivery?.id).toBe(message)
    await after.ack(id, [delivery?.ack ?? ''])
  }
  await after.close()
})
