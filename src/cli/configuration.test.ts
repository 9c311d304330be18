import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadConfiguration } from '../kit/config/load.ts'
import { loadRoles, ROLE_NAMES, UP_ROLE_NAMES } from '../roles/catalog.ts'
import { LIVE_SETTINGS } from '../roles/live-settings.ts'

const folder = join(import.meta.dirname, '../..')
const file = 'configs/msvc.yaml'

describe('configs/msvc.yaml', () => {
  it('says what the built-in defaults say, all of it', async () => {
    const roles = await loadRoles()
    const common = { roles, together: [], environment: {}, folder }
    const { settings, sections } = loadConfiguration(common)
    const written: unknown = parse(readFileSync(join(folder, file), 'utf8'))
    expect(written).toEqual({ ...settings, data: '.msvc', ...sections })
    expect(loadConfiguration({ ...common, file })).toEqual({ settings, sections })
  })
})

describe('the catalog', () => {
  it('knows what each service takes while it runs', async () => {
    const roles = await loadRoles()
    expect(Object.keys(LIVE_SETTINGS)).toEqual([...new Set(roles.map(({ service }) => service))])
    for (const { service, live } of roles) expect(LIVE_SETTINGS[service]?.shape, service).toEqual(live?.shape ?? {})
  })

  it('lists each role under its own name, with needs that exist', async () => {
    const roles = await loadRoles()
    expect(roles.map(({ name }) => name)).toEqual(ROLE_NAMES)
    expect(roles.filter(({ inUp }) => inUp !== false).map(({ name }) => name)).toEqual(UP_ROLE_NAMES)
    for (const { name, needs } of roles) expect(ROLE_NAMES, name).toEqual(expect.arrayContaining([...needs]))
  })
})
