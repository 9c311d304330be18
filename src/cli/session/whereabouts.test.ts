import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { giveVerdict } from '../../kit/cutover/verdict.ts'
import type { RunState } from './run-state.ts'
import { whereabouts } from './whereabouts.ts'

let data: string
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'msvc-whereabouts-'))
})
afterEach(() => rmSync(data, { recursive: true }))

const AT = '2026-01-01T00:00:00.000Z'
const EMBEDDED = { store: 'sqlite:', bus: 'embedded:', cache: 'memory:' }
const SERVERS = { store: 'postgres://shop@db/shop', bus: 'nats://queue', cache: 'redis://cache' }
const running = (places: typeof EMBEDDED): RunState => ({
  pid: 1,
  environment: 'development',
  auth: { mode: 'local', issuer: 'msvc' },
  places,
  roles: [],
  portless: [],
  starting: [],
  units: [],
})
describe('whereabouts', () => {
  it('are those of the configuration where nothing else is known', () => {
    const places = { data, ...SERVERS, store: 'postgres://shop:secret@db/shop' }
    expect(whereabouts(places, [])).toEqual(places)
  })

  it('are those of what runs there, whatever the environment of who asks says', () => {
    expect(whereabouts({ data, ...EMBEDDED }, [running(SERVERS)])).toEqual({ data, ...SERVERS })
  })

  it('follow a move that was made while it served', () => {
    const to = { data, ...SERVERS }
    giveVerdict(data, { outcome: 'moved', id: 'a', at: AT, from: { data, ...EMBEDDED }, to })
    const there = { ...to, cache: EMBEDDED.cache }
    expect(whereabouts({ data, ...EMBEDDED }, [])).toEqual(there)
    expect(whereabouts({ data, ...EMBEDDED }, [running(EMBEDDED)])).toEqual(there)
  })

  it('follow a move that was made while nothing ran', () => {
    const store = { state: 'left', server: SERVERS.store, at: AT }
    const bus = { state: 'leaving', server: SERVERS.bus, at: AT }
    writeFileSync(join(data, 'migration.json'), JSON.stringify({ store, bus }))
    expect(whereabouts({ data, ...EMBEDDED }, [])).toEqual({ data, ...EMBEDDED, store: SERVERS.store })
  })
})
