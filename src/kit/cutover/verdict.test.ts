import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { forgetStays, giveVerdict, movesOf, type Verdict } from './verdict.ts'

const root = mkdtempSync(join(tmpdir(), 'msvc-verdict-'))
afterAll(() => rmSync(root, { recursive: true }))
let count = 0
function newFolder() {
  const folder = join(root, String(count++))
  mkdirSync(folder)
  return folder
}

const from = { data: '/data', store: 'sqlite:', bus: 'embedded:', cache: 'memory:' }
const moved = (id: string, at: string): Verdict => ({
  outcome: 'moved',
  id,
  at,
  from,
  to: { ...from, store: 'postgres://db/shop' },
})
const stayed = (id: string): Verdict => ({ outcome: 'stayed', id })

describe('a verdict', () => {
  it('stands once it is given, whoever gives another', () => {
    const folder = newFolder()
    expect(giveVerdict(folder, stayed('one'))).toEqual(stayed('one'))
    expect(giveVerdict(folder, moved('one', '2026-11-27T09:00:00.000Z'))).toEqual(stayed('one'))
    expect(giveVerdict(folder, moved('two', '2026-11-27T09:00:00.000Z'))).toMatchObject({ outcome: 'moved' })
    expect(giveVerdict(folder, stayed('two'))).toMatchObject({ outcome: 'moved' })
  })

  it('is for its owner alone, and leaves nothing beside it', () => {
    const folder = newFolder()
    giveVerdict(folder, stayed('one'))
    expect(readdirSync(folder)).toEqual(['cutover-one.json'])
    expect(statSync(join(folder, 'cutover-one.json')).mode & 0o777).toBe(0o600)
  })

  it('is kept where the platform moved, and forgotten where it stayed', () => {
    const folder = newFolder()
    giveVerdict(folder, moved('second', '2026-11-27T10:00:00.000Z'))
    giveVerdict(folder, moved('first', '2026-11-27T09:00:00.000Z'))
    giveVerdict(folder, stayed('third'))
    forgetStays(folder)
    expect(movesOf(folder).map(({ id }) => id)).toEqual(['first', 'second'])
    expect(readdirSync(folder)).toHaveLength(2)
  })
})
