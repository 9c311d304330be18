import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { giveVerdict } from '../cutover/verdict.ts'
import { databasesInTheWay } from './fresh-databases.ts'
import { noteMove } from './move-notes.ts'

const AT = '2026-11-27T09:00:00.000Z'
let data: string
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'msvc-fresh-'))
  writeFileSync(join(data, 'order-service.db'), '')
})
afterEach(() => rmSync(data, { recursive: true }))

const inTheWay = (force = false) => databasesInTheWay({ data, backend: 'store', names: ['order-service'], force })

it('refuses databases that are somebody’s, unless they are to be set aside', () => {
  expect(() => inTheWay()).toThrow(/holds order-service.db already/)
  expect(inTheWay(true)).toEqual(['order-service'])
})

it('takes those that have left, whether the platform stood or served', async () => {
  const from = { data, store: 'sqlite:', bus: 'embedded:', cache: 'memory:' }
  giveVerdict(data, { outcome: 'moved', id: 'one', at: AT, from, to: { ...from, store: 'postgres://db/shop' } })
  expect(inTheWay()).toEqual(['order-service'])
  await noteMove(data, 'store', { state: 'coming', server: 'postgres://db/shop', at: AT })
  expect(inTheWay()).toEqual([])
  await noteMove(data, 'store', { state: 'left', server: 'postgres://db/shop', at: AT })
  expect(inTheWay()).toEqual(['order-service'])
})
