import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Move, NOTES_FILE, noteMoves, readMoves, refuseMoved } from './move-notes.ts'

let data: string
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'msvc-notes-'))
})
afterEach(() => rmSync(data, { recursive: true }))

const move = (state: Move['state']): Move => ({ state, server: 'postgres://db/shop', at: '2026-11-27T09:00:00Z' })
const embedded = () => ({ data, store: 'sqlite:', bus: 'embedded:' })

describe('what a data folder says of its moves', () => {
  it('is nothing at first, and a file for its owner alone while there is something to say', async () => {
    expect(readMoves(data)).toEqual({})
    await noteMoves(data, { store: move('leaving') })
    await noteMoves(data, { bus: move('left') })
    expect(readMoves(data)).toEqual({ store: move('leaving'), bus: move('left') })
    expect(statSync(join(data, NOTES_FILE)).mode & 0o777).toBe(0o600)
    await noteMoves(data, { store: move('left'), bus: undefined })
    expect(readMoves(data)).toEqual({ store: move('left') })
    await noteMoves(data, { store: undefined })
    expect(readdirSync(data)).toEqual([])
  })

  it('lets a platform run on what is being copied from it, and not on what has left or is not whole', async () => {
    await noteMoves(data, { store: move('leaving') })
    expect(() => refuseMoved(embedded())).not.toThrow()
    await noteMoves(data, { store: move('left') })
    expect(() => refuseMoved(embedded())).toThrow(
      /were moved to postgres:\/\/db\/shop .* say store: postgres:\/\/db\/shop/,
    )
    expect(() => refuseMoved({ ...embedded(), store: 'postgres://db/shop' })).not.toThrow()
    await noteMoves(data, { store: undefined })
    await noteMoves(data, { bus: move('coming') })
    expect(() => refuseMoved(embedded())).toThrow(/run the same msvc migrate again/)
  })

  it('is refused where somebody else wrote it', () => {
    writeFileSync(join(data, NOTES_FILE), '{"store":')
    expect(() => readMoves(data)).toThrow(/is not what msvc migrate wrote/)
  })
})
