import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { giveVerdict } from '../kit/cutover/verdict.ts'
import type { RunState } from './run-state.ts'
import { whereabouts } from './whereabouts.ts'

let data: string
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'msvc-whereabouts-'))
})
afterEach(() => rmSync(data, { recursive: true }))

const EMBEDDED = { store: 'sqlite:', bus: 'embedded:', cache: 'memory:' }
const SERVERS = { store: 'postgres://shop@db/shop', bus: 'nats://queue', cache: 'redis://cache' }
const running = (places: typeof EMBEDDED): RunState => ({
  pid: 1,
  environment: 'development',
  auth: { mode: 'local', issuer: 'msvc' },
  places,
  roles: [],
  starting: [],
})
const moved = (id: string, at: string, from: typeof EMBEDDED, to: typeof EMBEDDED) =>
  giveVerdict(data, { outcome: 'moved', id, at, from: { data, ...from }, to: { data, ...to } })

describe('whereabouts', () => {
  it('are those of the configuration where nothing else is known', () => {
    const places = { data, ...SERVERS, store: 'postgres://shop:secret@db/shop' }
    expect(whereabouts(places, [])).toEqual(places)
  })

  it('are those of what runs there, whatever the environment of who asks says', () => {
    expect(whereabouts({ data, ...EMBEDDED }, [running(SERVERS)])).toEqual({ data, ...SERVERS })
  })

  it('follow the moves that were made while it served', () => {
    const there = { ...SERVERS, store: 'postgres://shop@other/shop' }
    moved('b', '2026-01-02T00:00:00.000Z', SERVERS, there)
    moved('a', '2026-01-01T00:00:00.000Z', EMBEDDED, SERVERS)
    expect(whereabouts({ data, ...EMBEDDED }, [])).toEqual({ data, ...there })
    expect(whereabouts({ data, ...EMBEDDED }, [running(EMBEDDED)])).toEqual({ data, ...there })
  })

  it('follow a move that was made while nothing ran', () => {
    const store = { state: 'left', server: SERVERS.store, at: '2026-01-01T00:00:00Z' }
    const bus = { state: 'leaving', server: SERVERS.bus, at: '2026-01-01T00:00:00Z' }
    writeFileSync(join(data, 'migration.json'), JSON.stringify({ store, bus }))
    expect(whereabouts({ data, ...EMBEDDED }, [])).toEqual({ data, ...EMBEDDED, store: SERVERS.store })
  })
})
