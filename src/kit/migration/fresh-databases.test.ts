import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { giveVerdict } from '../cutover/verdict.ts'
import { databasesInTheWay, setDatabasesAside } from './fresh-databases.ts'
import { noteMoves } from './move-notes.ts'

let data: string
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'msvc-fresh-'))
  for (const file of ['order-service.db', 'order-service.db-wal', 'bus.db']) writeFileSync(join(data, file), file)
})
afterEach(() => rmSync(data, { recursive: true }))

const STORES = ['order-service', 'user-service']
const inTheWay = (force = false) => databasesInTheWay({ data, backend: 'store', names: STORES, force })
const at = '2026-01-01T00:00:00.000Z'

describe('databases where others are to come', () => {
  it('are refused, unless somebody says that they may be set aside', () => {
    expect(() => inTheWay()).toThrow(/holds order-service.db already: name a fresh folder/)
    expect(inTheWay(true)).toEqual(['order-service'])
  })

  it('may be set aside where they have moved away, whether the platform stood still or served meanwhile', async () => {
    const server = 'postgres://db/shop'
    await noteMoves(data, { store: { state: 'left', server, at } })
    expect(inTheWay()).toEqual(['order-service'])
    await noteMoves(data, { store: undefined })
    const from = { data, store: 'sqlite:', bus: 'embedded:', cache: 'memory:' }
    giveVerdict(data, { outcome: 'moved', id: 'a', at, from, to: { ...from, bus: 'nats://queue' } })
    expect(() => inTheWay()).toThrow()
    giveVerdict(data, { outcome: 'moved', id: 'b', at, from, to: { ...from, store: server } })
    expect(inTheWay()).toEqual(['order-service'])
  })

  it('go with their logs, and alone', async () => {
    const aside = (await setDatabasesAside(data, inTheWay(true), { now: () => Date.parse(at) })) ?? ''
    expect(readdirSync(aside).sort()).toEqual(['order-service.db', 'order-service.db-wal'])
    expect(readdirSync(data)).toContain('bus.db')
  })
})
