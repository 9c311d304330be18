import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadConfiguration } from '../../kit/config/load.ts'
import { AppError } from '../../kit/errors.ts'
import { loadRoles, ROLE_NAMES, UP_ROLE_NAMES } from '../../roles/catalog.ts'
import { LIVE_SETTINGS } from '../../roles/live-settings.ts'
import { createMessages } from '../terminal/messages.ts'
import { configureClient } from './configuration.ts'
import { createStateFile } from './run-state.ts'
import type { GlobalOptions } from './session.ts'

const folder = join(import.meta.dirname, '../../..')
const file = 'configs/msvc.yaml'

describe('configs/msvc.yaml', () => {
  it('says what the built-in defaults say, all of it', async () => {
    const roles = await loadRoles()
    const common = { roles, together: [], environment: {}, folder }
    const { settings, sections } = await loadConfiguration(common)
    const written: unknown = parse(readFileSync(join(folder, file), 'utf8'))
    expect(written).toEqual({ ...settings, data: '.msvc', ...sections })
    const { saidBy: _saidBy, ...read } = await loadConfiguration({ ...common, file })
    expect(read).toEqual({ settings, sections, own: {} })
  })
})

describe('gateway.routes', () => {
  const own = mkdtempSync(join(tmpdir(), 'msvc-routes-'))
  afterAll(() => rmSync(own, { recursive: true }))
  const faultOf = async (yaml: string) => {
    writeFileSync(join(own, 'x.yaml'), yaml)
    const common = { roles: await loadRoles(), together: [], environment: {} }
    try {
      await loadConfiguration({ ...common, folder: own, file: 'x.yaml' })
    } catch (thrown) {
      if (thrown instanceof AppError && thrown.code === 'CONFIG_INVALID') return thrown.message
      throw thrown
    }
    return 'none'
  }
  const shop = 'upstream: shop-service, methods: { GET: public }'

  it('as a list are told how they are written now', async () => {
    expect(await faultOf(`gateway:\n  routes:\n    - { prefix: /shop, ${shop} }\n    - 5\n`)).toBe(
      'x.yaml:2: gateway.routes: routes have names now, and stand beside the built-in users and orders (null takes one of these out): instead of a list write "routes: { shop: { prefix: /shop, upstream: shop-service, methods: { GET: public } } }"',
    )
    expect(await faultOf(`gateway:\n  routes:\n    shop: { prefix: /shop, ${shop} }\n    users: null\n`)).toBe('none')
  })

  it('are told their faults by name', async () => {
    const yaml = `gateway:
  routes:
    orders: 5
    shop: { prefx: /shop, ${shop} }
    users: { prefix: /people }`
    expect((await faultOf(yaml)).split('\n')).toEqual([
      'x.yaml:3: gateway.routes.orders: expected a section with keys of its own or null, got 5',
      'x.yaml:4: gateway.routes.shop.prefx: unknown key; did you mean prefix?',
      'x.yaml:5: gateway.routes.users.strip_prefix: expected the leading segments of prefix that the service does not see, or "" for none',
    ])
    const twice = `gateway:\n  routes:\n    shop: { prefix: /gateway/api/orders, ${shop} }\n`
    expect(await faultOf(twice)).toMatch(/^x\.yaml:3: gateway\.routes\.shop: shop and orders both take GET \/gateway/)
    expect(await faultOf('gateway:\n  routes:\n')).toMatch(
      /^x\.yaml:2: gateway\.routes: expected routes by name, such as "shop: /,
    )
  })
})

describe('what asks a platform, by a file with faults', () => {
  const home = mkdtempSync(join(tmpdir(), 'msvc-faults-'))
  afterAll(() => rmSync(home, { recursive: true }))
  const file = join(home, 'msvc.yaml')

  function session(options: GlobalOptions = {}, environment: Readonly<Record<string, string>> = {}) {
    const warnings: string[] = []
    const write = (text: string) => void warnings.push(text)
    const messages = createMessages({ write, isTTY: false, colour: false, columns: 80, rows: 24 }, false)
    const given = { io: { folder: home, environment }, options, messages }
    return { given, warnings }
  }

  it('finds what runs where the file has its data, and warns once', async () => {
    const runs = await createStateFile(join(home, 'kept'), () => {})
    const auth = { mode: 'token', issuer: 'shop', key_file: '/run/secrets/key' } as const
    runs.save({ pid: 1, environment: 'staging', auth, roles: [], portless: [], starting: [], units: [] })
    await runs.written()
    writeFileSync(file, 'data: kept\nbroker: { prt: 1 }\nclient: { tries: 5 }\n')
    try {
      const { given, warnings } = session()
      const { settings, running } = await configureClient(given)
      expect(settings).toMatchObject({ data: join(home, 'kept'), environment: 'staging', auth })
      expect(running).toHaveLength(1)
      await configureClient(given)
      expect(warnings).toEqual([
        `warning: msvc.yaml:2: broker.prt: unknown key; did you mean port? (and 1 more: msvc check); asking what runs on ${join(home, 'kept')} without that file\n`,
      ])

      const silent = session()
      expect((await configureClient(silent.given, { warns: false })).running).toHaveLength(1)
      expect(silent.warnings).toEqual([])

      writeFileSync(file, `data: "kept" # here\nbroker: {\n`)
      expect((await configureClient(session().given)).running).toHaveLength(1)

      writeFileSync(file, 'data: elsewhere\nclient: { tries: 5 }\n')
      expect((await configureClient(session({}, { MSVC_DATA: 'kept' }).given)).running).toHaveLength(1)

      writeFileSync(file, 'broker: {\n')
      await expect(configureClient(session().given)).rejects.toThrow(/^msvc\.yaml:/)
      const named = session({ data: 'kept' })
      expect((await configureClient(named.given)).running).toHaveLength(1)
      expect(named.warnings).toEqual([
        expect.stringMatching(/^warning: msvc\.yaml:\d+: .*; asking what runs on .*kept without that file\n$/),
      ])
      await expect(configureClient(session({ config: 'none.yaml', data: 'kept' }).given)).rejects.toThrow(
        'no such file',
      )
    } finally {
      await runs.remove()
    }
    await expect(configureClient(session({ data: 'kept' }).given)).rejects.toThrow(/^msvc\.yaml:/)
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
