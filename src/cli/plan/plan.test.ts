import { describe, expect, it } from 'vitest'
import { loadConfiguration } from '../../kit/config/load.ts'
import { loadRoles } from '../../roles/catalog.ts'
import { parseScale, planUnits, type Wish } from './plan.ts'

const roles = await loadRoles()
const configuration = await loadConfiguration({ roles, together: [], environment: {}, folder: '/srv' })
const plan = (wish: Partial<Wish>) =>
  planUnits({ roles, ...configuration }, { scale: new Map(), portOffset: 0, ...wish })

describe('planUnits', () => {
  it('runs every role of msvc up once, on its own port', () => {
    const units = plan({})
    expect(units.map(({ unit }) => unit)).toContain('gateway')
    expect(units.map(({ unit }) => unit)).not.toContain('broker-demo')
    expect(units.find(({ unit }) => unit === 'user')?.job.section.port).toBe(8001)
  })

  it('moves every port by the offset, the registry that all are told of too', () => {
    const [user] = plan({ only: ['user'], portOffset: 1_000 })
    expect(user?.job).toMatchObject({ section: { port: 9_001 }, registryUrl: 'http://127.0.0.1:9500' })
  })

  it('advertises a port for the first replica alone', () => {
    const user = { host: '0.0.0.0', port: 8001, advertise: 'shop.example:80' }
    const sections = { ...configuration.sections, user }
    const wish = { scale: parseScale(['user=2']), portOffset: 0, only: ['user'] }
    const units = planUnits({ roles, ...configuration, sections }, wish)
    expect(units.map(({ job }) => job.section.advertise)).toEqual(['shop.example:80', 'shop.example'])
  })

  it('puts replicas of the registry one behind the other, and tells all of all', () => {
    const cache = 'redis://127.0.0.1:6379'
    const shared = { ...configuration, settings: { ...configuration.settings, cache } }
    const wish = { scale: parseScale(['registry=2']), portOffset: 10, only: ['registry', 'user'] }
    const units = planUnits({ roles, ...shared }, wish)
    expect(units.map(({ unit, job }) => `${unit} ${job.section.port}`)).toEqual([
      'registry 8510',
      'registry-2 8511',
      'user 8011',
    ])
    const url = 'http://127.0.0.1:8510,http://127.0.0.1:8511'
    expect(new Set(units.map(({ job }) => job.registryUrl))).toEqual(new Set([url]))
    expect(() => plan(wish)).toThrow(/registry runs alone, .* with cache: redis:/)
  })

  it('puts further replicas on free ports', () => {
    const units = plan({ only: ['registry', 'user'], scale: parseScale(['user=3']) })
    const ports = units.map(({ unit, job }) => `${unit} ${job.role} ${job.section.port}`)
    expect(ports).toEqual(['registry registry 8500', 'user user 8001', 'user-2 user 0', 'user-3 user 0'])
  })
})
